// word_features ENCODER_DIR STATES: what the token head sees, for training it. Reads JSON lines
// {"text": ...} on stdin. Writes for each line, little-endian: the number of words (u32), each
// word's byte offsets (u32 begin, u32 end), then per word the mean over its pieces of each hidden
// state of STATES ("1,3,6") and the shape features, as IEEE half floats. The model's facts come as
// one JSON line on stderr. Texts are cut at the first window, as training examples are short.
#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/bert.h"
#include "encoder/word_shape.h"
#include "json/document.h"
#include "tokenize/wordpiece.h"

namespace signalbox {
namespace {

template <class T>
Result<void> write(const std::vector<T>& values) {
  if (std::fwrite(values.data(), sizeof(T), values.size(), stdout) != values.size()) {
    return fail(Code::kIo, "cannot write the features");
  }
  return {};
}

Result<std::vector<std::size_t>> parse_states(const std::string& list) {
  const std::string text = "[" + list + "]";
  SBX_TRY(const auto document, json::Document::parse(text));
  std::vector<std::size_t> states;
  for (const json::Value state : document.root().element_range()) {
    const auto index = state.integer();
    if (!index || *index < 0) return fail(Code::kInvalidArgument, "STATES must be numbers");
    states.push_back(static_cast<std::size_t>(*index));
  }
  return states;
}

// Mean of each state over the pieces of each word, then the shape features.
std::vector<_Float16> rows(std::string_view text, const std::vector<encoder::Word>& words,
                           const encoder::BertScratch& scratch, std::size_t tokens,
                           std::size_t hidden, std::size_t states) {
  std::vector<float> shape(words.size() * encoder::kShapeFeatures);
  encoder::shape_features(text, words, shape.data());
  std::vector<_Float16> out;
  for (std::size_t w = 0; w < words.size(); ++w) {
    for (std::size_t s = 0; s < states; ++s) {
      for (std::size_t k = 0; k < hidden; ++k) {
        float sum = 0;
        for (std::size_t p = 0; p < words[w].piece_count; ++p) {
          sum += scratch.kept.data()[(s * tokens + 1 + words[w].first_piece + p) * hidden + k];
        }
        out.push_back(static_cast<_Float16>(sum / static_cast<float>(words[w].piece_count)));
      }
    }
    for (std::size_t k = 0; k < encoder::kShapeFeatures; ++k)
      out.push_back(static_cast<_Float16>(shape[w * encoder::kShapeFeatures + k]));
  }
  return out;
}

Result<void> run(const std::string& directory, const std::string& states_list) {
  SBX_TRY(const auto config_text,
          read_file(directory + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(const auto config, encoder::BertConfig::parse(config_text));
  SBX_TRY(const auto tokenizer, tokenize::WordPiece::load(directory));
  SBX_TRY(const auto bert, encoder::Bert::load(directory + "/model.safetensors", config));
  SBX_TRY(const auto states, parse_states(states_list));
  fmt::print(stderr, "{{\"hidden\": {}, \"shape\": {}, \"fingerprint\": \"{}\"}}\n", config.hidden,
             encoder::kShapeFeatures, bert.fingerprint());
  encoder::BertScratch scratch;
  std::vector<std::int32_t> ids;
  std::vector<tokenize::WordSpan> spans;
  for (std::string line; std::getline(std::cin, line);) {
    SBX_TRY(const auto document, json::Document::parse(line));
    SBX_TRY(const auto text, document.root().find("text"));
    if (!text) return fail(Code::kInvalidArgument, "a line has no \"text\"");
    const std::string content = text->string();
    ids.clear();
    spans.clear();
    tokenizer.tokenize(content, ids, &spans);
    ids.resize(std::min(ids.size(), limits::kEncoderTokensMax - 2));
    spans.resize(ids.size());
    const auto words = encoder::group_words(spans);
    ids.insert(ids.begin(), tokenizer.cls());
    ids.push_back(tokenizer.sep());
    bert.forward(ids, scratch, states);
    std::vector<std::uint32_t> head{static_cast<std::uint32_t>(words.size())};
    for (const auto& word : words) {
      head.push_back(static_cast<std::uint32_t>(word.begin));
      head.push_back(static_cast<std::uint32_t>(word.end));
    }
    SBX_CHECK_OK(write(head));
    SBX_CHECK_OK(write(rows(content, words, scratch, ids.size(), config.hidden, states.size())));
  }
  return {};
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  const auto done = argc == 3 ? signalbox::run(argv[1], argv[2])
                              : signalbox::fail(signalbox::Code::kInvalidArgument,
                                                "usage: word_features ENCODER_DIR STATES");
  if (done) return 0;
  fmt::print(stderr, "word_features: {}\n", done.error().message);
  return 1;
}
