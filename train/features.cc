// features ENCODER_DIR [SIZE]: reads JSON lines {"text": ...} on stdin, writes for each the states that
// heads read (encoder/pooled_states.h), [states][hidden] little-endian floats, on stdout, and the
// model's facts as one JSON line on stderr. The pass runs in the number format that the program would
// choose. With SIZE it writes instead the number of stretches of that many tokens that heads judge beside the whole
// (u32), and the states of each. Texts are cut at the first window, as training examples
// are short.
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
#include "encoder/pooled_states.h"
#include "encoder/windows.h"
#include "json/document.h"
#include "tokenize/wordpiece.h"

namespace signalbox {
namespace {

Result<void> write(const encoder::PooledStates& pooled) {
  const auto& values = pooled.values();
  if (std::fwrite(values.data(), sizeof(float), values.size(), stdout) != values.size())
    return fail(Code::kIo, "cannot write the features");
  return {};
}

// The stretches of a text, after their number.
Result<void> write_segments(const encoder::BertConfig& config, const encoder::BertScratch& scratch,
                            std::size_t tokens, std::size_t size) {
  const auto segments = encoder::plan_segments(tokens, size, encoder::kMeanBlock);
  const auto count = static_cast<std::uint32_t>(segments.size());
  if (std::fwrite(&count, sizeof count, 1, stdout) != 1)
    return fail(Code::kIo, "cannot write the features");
  encoder::PooledStates pooled;
  for (const encoder::Window& segment : segments) {
    pooled.assign_part(config, scratch, tokens, segment.begin, segment.begin + segment.count);
    SBX_CHECK_OK(write(pooled));
  }
  return {};
}

Result<void> run(const std::string& directory, std::size_t segment_size) {
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
    if (segment_size > 0) {
      SBX_CHECK_OK(write_segments(config, scratch, ids.size(), segment_size));
    } else {
      SBX_CHECK_OK(write(pooled));
    }
  }
  return {};
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  const auto done =
      argc == 2 || argc == 3
          ? signalbox::run(argv[1], argc == 3 ? signalbox::parse_uint(argv[2]).value_or(0) : 0)
          : signalbox::fail(signalbox::Code::kInvalidArgument,
                            "usage: features ENCODER_DIR [TOKENS_OF_A_SEGMENT]");
  if (done) return 0;
  fmt::print(stderr, "features: {}\n", done.error().message);
  return 1;
}
