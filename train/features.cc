// features ENCODER_DIR: reads JSON lines {"text": ...} on stdin, writes for each the states that
// heads read (encoder/pooled_states.h), [states][hidden] little-endian floats, on stdout, and the
// model's facts as one JSON line on stderr. The pass runs in the number format that the program would
// choose. Texts are cut at the first window, as training examples
// are short.
#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/bert.h"
#include "encoder/number_format.h"
#include "encoder/pooled_states.h"
#include "json/document.h"
#include "tokenize/wordpiece.h"

namespace signalbox {
namespace {

Result<void> run(const std::string& directory) {
  SBX_TRY(const auto config_text,
          read_file(directory + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(const auto config, encoder::BertConfig::parse(config_text));
  SBX_TRY(const auto tokenizer, tokenize::WordPiece::load(directory));
  SBX_TRY(const auto format, encoder::choose_format());
  SBX_TRY(const auto bert, encoder::Bert::load(directory + "/model.safetensors", config, format));
  fmt::print(stderr,
             "{{\"states\": {}, \"hidden\": {}, \"fingerprint\": \"{}\", \"kernel\": \"{}\"}}\n",
             encoder::PooledStates::count(config.layers), config.hidden, bert.fingerprint(),
             bert.format_name());
  encoder::BertScratch scratch;
  encoder::PooledStates pooled;
  std::vector<std::int32_t> ids;
  for (std::string line; std::getline(std::cin, line);) {
    SBX_TRY(const auto document, json::Document::parse(line));
    SBX_TRY(const auto text, document.root().find("text"));
    if (!text) return fail(Code::kInvalidArgument, "a line has no \"text\"");
    ids.assign(1, tokenizer.cls());
    tokenizer.tokenize(text->string(), ids);
    ids.resize(std::min(ids.size(), limits::kEncoderTokensMax - 1));
    ids.push_back(tokenizer.sep());
    bert.forward(ids, scratch);
    pooled.assign(config, scratch, ids.size());
    const auto& values = pooled.values();
    if (std::fwrite(values.data(), sizeof(float), values.size(), stdout) != values.size()) {
      return fail(Code::kIo, "cannot write the features");
    }
  }
  return {};
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  const auto done =
      argc == 2 ? signalbox::run(argv[1])
                : signalbox::fail(signalbox::Code::kInvalidArgument, "usage: features ENCODER_DIR");
  if (done) return 0;
  fmt::print(stderr, "features: {}\n", done.error().message);
  return 1;
}
