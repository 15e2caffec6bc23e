// token_states ENCODER_DIR STATE TOKENS: what the layers above hidden state STATE are given, for
// training adapters of them. Reads JSON lines {"text": ...} on stdin; writes for each the number of
// tokens (u32, little-endian; [CLS] and [SEP] counted, at most TOKENS: a longer text is cut) and
// the tokens' states as IEEE half floats, [tokens][hidden]. The pass runs in the number format that
// the program would choose. The model's facts come as one JSON line on stderr.
#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "encoder/bert.h"
#include "encoder/number_format.h"
#include "json/document.h"
#include "tokenize/wordpiece.h"

namespace signalbox {
namespace {

template <class T>
Result<void> write(const std::vector<T>& values) {
  if (std::fwrite(values.data(), sizeof(T), values.size(), stdout) != values.size()) {
    return fail(Code::kIo, "cannot write the states");
  }
  return {};
}

Result<void> run(const std::string& directory, std::size_t state, std::size_t tokens_max) {
  SBX_TRY(const auto config_text,
          read_file(directory + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(const auto config, encoder::BertConfig::parse(config_text));
  if (state > config.layers || tokens_max < 3 || tokens_max > config.positions)
    return fail(Code::kInvalidArgument, "the model has no such state, or not so many positions");
  SBX_TRY(const auto tokenizer, tokenize::WordPiece::load(directory));
  SBX_TRY(const auto format, encoder::choose_format());
  SBX_TRY(const auto bert, encoder::Bert::load(directory + "/model.safetensors", config, format));
  fmt::print(stderr, "{{\"hidden\": {}, \"fingerprint\": \"{}\", \"format\": \"{}\"}}\n",
             config.hidden, bert.fingerprint(), bert.format_name());
  encoder::BertScratch scratch;
  std::vector<std::int32_t> ids;
  const std::vector<std::size_t> kept{state};
  for (std::string line; std::getline(std::cin, line);) {
    SBX_TRY(const auto document, json::Document::parse(line));
    SBX_TRY(const auto text, document.root().find("text"));
    if (!text) return fail(Code::kInvalidArgument, "a line has no \"text\"");
    ids.assign(1, tokenizer.cls());
    tokenizer.tokenize(text->string(), ids);
    ids.resize(std::min(ids.size(), tokens_max - 1));
    ids.push_back(tokenizer.sep());
    bert.forward(ids, scratch, kept);
    SBX_CHECK_OK(write(std::vector<std::uint32_t>{static_cast<std::uint32_t>(ids.size())}));
    const float* first = scratch.kept.data();
    SBX_CHECK_OK(write(std::vector<_Float16>(first, first + ids.size() * config.hidden)));
  }
  return {};
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  const auto done = argc == 4 ? signalbox::run(argv[1], signalbox::parse_uint(argv[2]).value_or(0),
                                               signalbox::parse_uint(argv[3]).value_or(0))
                              : signalbox::fail(signalbox::Code::kInvalidArgument,
                                                "usage: token_states ENCODER_DIR STATE TOKENS");
  if (done) return 0;
  fmt::print(stderr, "token_states: {}\n", done.error().message);
  return 1;
}
