// The tokenizer that a tokenizer.json describes: cut out added tokens, normalise, cut out those that are
// looked for in normalised text, split, and hand the parts to the subword model.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "json/document.h"
#include "tokenize/added_tokens.h"
#include "tokenize/fields.h"
#include "tokenize/normalizer.h"
#include "tokenize/post_processor.h"
#include "tokenize/pre_tokenizer.h"
#include "tokenize/subword.h"
#include "tokenize/tokenizer.h"
#include "tokenize/traced_text.h"

namespace signalbox::tokenize {
namespace {

struct Stages {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<const SubwordModel> model;
  AddedTokens raw;         // looked for in the text as it came
  AddedTokens normalized;  // looked for after the normalizer
  std::int32_t size = 0;
};

constexpr std::size_t kCharacterBytesMax = 4;

class PipelineTokenizer final : public Tokenizer {
 public:
  PipelineTokenizer(Stages stages, Frame frame)
      : Tokenizer(std::move(frame)), stages_(std::move(stages)) {}
  void tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                std::vector<WordSpan>* spans) const override;
  void tokenize_marked(std::string_view text, std::vector<std::int32_t>& ids,
                       std::vector<Mark>& marks) const override;
  // And the character behind it, which decides whether a word ends there.
  std::size_t lookahead() const override { return stages_.raw.longest() + kCharacterBytesMax; }
  std::int32_t size() const override { return stages_.size; }

 private:
  // What one call writes to.
  struct Output {
    std::vector<std::int32_t>& ids;
    std::vector<WordSpan>* spans;
    SubwordScratch scratch;
    std::vector<Subword> subwords;

    void add(std::int32_t id, Origin origin) {
      ids.push_back(id);
      if (spans != nullptr) spans->push_back({origin.begin, origin.end});
    }
  };
  void run_raw(std::string_view text, std::size_t offset, Output& output) const;
  void run_model(TracedText text, bool first, Output& output) const;

  Stages stages_;
};

void PipelineTokenizer::tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                                 std::vector<WordSpan>* spans) const {
  Output output{ids, spans, {}, {}};
  for (const AddedTokens::Part& part : stages_.raw.split(text)) {
    if (part.id >= 0) {
      output.add(part.id, {part.begin, part.end});
    } else {
      run_raw(text.substr(part.begin, part.end - part.begin), part.begin, output);
    }
  }
}

void PipelineTokenizer::tokenize_marked(std::string_view text, std::vector<std::int32_t>& ids,
                                        std::vector<Mark>& marks) const {
  Output output{ids, nullptr, {}, {}};
  for (const AddedTokens::Part& part : stages_.raw.split(text)) {
    if (part.id >= 0) {
      if (!part.spaced) marks.push_back({part.begin, ids.size()});
      output.add(part.id, {part.begin, part.end});
    } else {
      run_raw(text.substr(part.begin, part.end - part.begin), part.begin, output);
    }
  }
}

// A stretch of the text without tokens of the first kind.
void PipelineTokenizer::run_raw(std::string_view text, std::size_t offset, Output& output) const {
  const bool traced = output.spans != nullptr;
  const TracedText normal = stages_.normalizer.apply(TracedText(text, offset, traced));
  for (const AddedTokens::Part& part : stages_.normalized.split(normal.text())) {
    if (part.id >= 0) {
      output.add(part.id, traced ? normal.origin(part.begin, part.end) : Origin{});
      continue;
    }
    TracedText stretch(traced);
    stretch.append(normal, part.begin, part.end);
    run_model(std::move(stretch), offset == 0 && part.begin == 0, output);
  }
}

void PipelineTokenizer::run_model(TracedText text, bool first, Output& output) const {
  for (const Range& range : stages_.pre_tokenizer.apply(text, first)) {
    output.subwords.clear();
    const std::string_view part =
        std::string_view(text.text()).substr(range.begin, range.end - range.begin);
    stages_.model->cut(part, output.scratch, output.subwords);
    for (const Subword& subword : output.subwords) {
      const Origin origin =
          text.traced() ? text.origin(range.begin + subword.begin, range.begin + subword.end)
                        : Origin{};
      output.add(subword.id, origin);
    }
  }
}

Result<AddedToken> read_added(json::Value entry) {
  AddedToken token;
  SBX_TRY(token.id, id_field(entry, "id"));
  SBX_TRY(token.text, string_field(entry, "content", ""));
  SBX_TRY(token.single_word, bool_field(entry, "single_word", false));
  SBX_TRY(token.strip_left, bool_field(entry, "lstrip", false));
  SBX_TRY(token.strip_right, bool_field(entry, "rstrip", false));
  SBX_TRY(token.normalized, bool_field(entry, "normalized", true));
  if (token.text.size() > limits::kVocabularyPieceBytesMax)
    return fail(Code::kCorrupt, "an added token is too long");
  return token;
}

Result<void> read_added_tokens(json::Value root, Stages& stages) {
  SBX_TRY(const auto list, field(root, "added_tokens"));
  if (!list) return {};
  if (!list->is_array() || list->size() > limits::kAddedTokensMax)
    return fail(Code::kCorrupt, "not an array, or too long", "added_tokens");
  std::vector<AddedToken> raw, normalized;
  for (const json::Value entry : list->element_range()) {
    SBX_TRY(AddedToken token, read_added(entry));
    stages.size = std::max(stages.size, token.id + 1);
    if (token.normalized) {
      token.text = stages.normalizer.apply(TracedText(token.text, 0, false)).text();
      normalized.push_back(std::move(token));
    } else {
      raw.push_back(std::move(token));
    }
  }
  stages.raw = AddedTokens(std::move(raw));
  stages.normalized = AddedTokens(std::move(normalized));
  return {};
}

Result<std::unique_ptr<const SubwordModel>> read_model(json::Value root, bool byte_level) {
  SBX_TRY(const auto model, need_field(root, "model"));
  SBX_TRY(std::string type, string_field(model, "type", ""));
  // Older files leave the type out; only BPE has merges.
  if (type.empty()) {
    SBX_TRY(const auto merges, field(model, "merges"));
    if (merges) type = "BPE";
  }
  if (type == "BPE") return read_bpe(model, byte_level);
  if (type == "Unigram" && byte_level)
    return fail(Code::kUnsupported, "Unigram over bytes is not supported");
  if (type == "Unigram") return read_unigram(model);
  return fail(Code::kUnsupported, "a tokenizer of type '" + type + "' is not supported");
}

json::Value value_or_null(const std::optional<json::Value>& found, json::Value null) {
  return found ? *found : null;
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> parse_tokenizer(std::string_view tokenizer_json) {
  const auto document = json::Document::parse(tokenizer_json);
  if (!document) return fail(Code::kCorrupt, document.error().message);
  const json::Value root = document->root();
  if (!root.is_object()) return fail(Code::kCorrupt, "not an object");
  const auto nothing = json::Document::parse("null");
  const json::Value null = nothing->root();
  Stages stages;
  SBX_TRY(const auto normalizer, field(root, "normalizer"));
  SBX_TRY(stages.normalizer, Normalizer::parse(value_or_null(normalizer, null)));
  SBX_TRY(const auto pre_tokenizer, field(root, "pre_tokenizer"));
  SBX_TRY(stages.pre_tokenizer, PreTokenizer::parse(value_or_null(pre_tokenizer, null)));
  SBX_TRY(stages.model, read_model(root, stages.pre_tokenizer.byte_level()));
  stages.size = stages.model->size();
  SBX_CHECK_OK(read_added_tokens(root, stages));
  SBX_TRY(const auto post_processor, field(root, "post_processor"));
  SBX_TRY(Frame frame, read_frame(value_or_null(post_processor, null)));
  for (const auto* ids : {&frame.before, &frame.after}) {
    for (const std::int32_t id : *ids) stages.size = std::max(stages.size, id + 1);
  }
  return std::make_unique<const PipelineTokenizer>(std::move(stages), std::move(frame));
}

}  // namespace signalbox::tokenize
