// Reading the "pre_tokenizer" of a tokenizer file.
#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"
#include "tokenize/fields.h"
#include "tokenize/pre_tokenizer.h"

namespace signalbox::tokenize {
namespace {

// How GPT-2 splits text; what "ByteLevel" with "use_regex" stands for.
constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kPunctuation = R"([\p{P}!-/:-@\[-`{-~])";

}  // namespace

Result<PreTokenizer> PreTokenizer::parse(json::Value value) {
  PreTokenizer pre_tokenizer;
  SBX_CHECK_OK(pre_tokenizer.add(value, 0));
  return pre_tokenizer;
}

Result<PreTokenizer::Behaviour> PreTokenizer::behaviour_of(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, Behaviour>, 5> kNames{
      {{"Removed", Behaviour::kRemoved},
       {"Isolated", Behaviour::kIsolated},
       {"MergedWithPrevious", Behaviour::kMergedWithPrevious},
       {"MergedWithNext", Behaviour::kMergedWithNext},
       {"Contiguous", Behaviour::kContiguous}}};
  const auto* found =
      std::ranges::find(kNames, name, &std::pair<std::string_view, Behaviour>::first);
  if (found == kNames.end()) return fail(Code::kUnsupported, "split behaviour '" + name + "'");
  return found->second;
}

Result<void> PreTokenizer::add(json::Value value, std::size_t depth) {
  if (value.is_null()) return {};
  if (steps_.size() >= limits::kTokenizerStepsMax || depth > limits::kTokenizerStepsMax)
    return fail(Code::kCorrupt, "too many pre-tokenizers");
  SBX_TRY(const std::string type, string_field(value, "type", ""));
  if (byte_level_)
    return fail(Code::kUnsupported, "pre-tokenizer " + type + " after ByteLevel is not supported");
  if (type == "Sequence") {
    SBX_TRY(const auto inner, need_field(value, "pretokenizers"));
    for (const json::Value step : inner.element_range()) SBX_CHECK_OK(add(step, depth + 1));
    return {};
  }
  if (type == "Split") return add_split(value);
  if (type == "ByteLevel") return add_byte_level(value);
  if (type == "Metaspace") return add_metaspace(value);
  if (type == "WhitespaceSplit") return add_pattern(R"(\s)", Behaviour::kRemoved);
  if (type == "Whitespace") return add_pattern(R"(\w+|[^\w\s]+)", Behaviour::kRemoved, true);
  if (type == "Punctuation") {
    SBX_TRY(const auto name, string_field(value, "behavior", "Isolated"));
    SBX_TRY(const auto behaviour, behaviour_of(name));
    return add_pattern(kPunctuation, behaviour);
  }
  if (type == "Digits") {
    SBX_TRY(const bool single, bool_field(value, "individual_digits", false));
    return add_pattern(R"(\p{N})", single ? Behaviour::kIsolated : Behaviour::kContiguous);
  }
  return fail(Code::kUnsupported, "pre-tokenizer " + type + " is not supported");
}

Result<void> PreTokenizer::add_pattern(std::string_view expression, Behaviour behaviour,
                                       bool invert) {
  Step step;
  SBX_TRY(step.pattern, Pattern::compile(expression));
  step.behaviour = behaviour;
  step.invert = invert;
  steps_.push_back(std::move(step));
  return {};
}

Result<void> PreTokenizer::add_split(json::Value value) {
  Step step;
  SBX_TRY(step.pattern, pattern_field(value));
  SBX_TRY(const auto behaviour, string_field(value, "behavior", ""));
  SBX_TRY(step.behaviour, behaviour_of(behaviour));
  SBX_TRY(step.invert, bool_field(value, "invert", false));
  steps_.push_back(std::move(step));
  return {};
}

Result<void> PreTokenizer::add_byte_level(json::Value value) {
  SBX_TRY(const bool space, bool_field(value, "add_prefix_space", true));
  SBX_TRY(const bool regex, bool_field(value, "use_regex", true));
  if (space) steps_.emplace_back().kind = Kind::kPrefixSpace;
  if (regex) SBX_CHECK_OK(add_pattern(kGpt2, Behaviour::kIsolated));
  byte_level_ = true;
  return {};
}

Result<void> PreTokenizer::add_metaspace(json::Value value) {
  Step step;
  step.kind = Kind::kMetaspace;
  SBX_TRY(step.mark, string_field(value, "replacement", "\xE2\x96\x81"));
  if (step.mark.empty() || step.mark.size() > 4)
    return fail(Code::kCorrupt, "the replacement of Metaspace is not one character");
  // "add_prefix_space" is how older files say it.
  SBX_TRY(const bool old_prefix, bool_field(value, "add_prefix_space", true));
  SBX_TRY(const auto scheme,
          string_field(value, "prepend_scheme", old_prefix ? "always" : "never"));
  if (scheme != "always" && scheme != "first" && scheme != "never")
    return fail(Code::kUnsupported, "prepend_scheme '" + scheme + "' is not supported");
  step.scheme = scheme == "always"  ? Scheme::kAlways
                : scheme == "first" ? Scheme::kFirst
                                    : Scheme::kNever;
  SBX_TRY(const bool cut, bool_field(value, "split", true));
  Step cutting;
  cutting.pattern = Pattern::literal(step.mark);
  cutting.behaviour = Behaviour::kMergedWithNext;
  steps_.push_back(std::move(step));
  if (cut) steps_.push_back(std::move(cutting));
  return {};
}

}  // namespace signalbox::tokenize
