#include "tokenize/post_processor.h"

#include <utility>

#include "base/limits.h"
#include "tokenize/fields.h"

namespace signalbox::tokenize {
namespace {

// The ids that a special token of a template stands for.
Result<void> append_special(json::Value tokens, const std::string& name,
                            std::vector<std::int32_t>& ids) {
  SBX_TRY(const auto special, need_field(tokens, name));
  SBX_TRY(const auto list, need_field(special, "ids"));
  if (list.size() > limits::kFrameTokensMax) return fail(Code::kCorrupt, "too many ids", name);
  for (const json::Value element : list.element_range()) {
    SBX_TRY(const std::int32_t id, to_id(element));
    ids.push_back(id);
  }
  return {};
}

// "single": special tokens, the sequence, special tokens.
Result<Frame> read_template(json::Value value) {
  Frame frame;
  SBX_TRY(const auto single, need_field(value, "single"));
  SBX_TRY(const auto tokens, need_field(value, "special_tokens"));
  if (!single.is_array() || single.size() > limits::kFrameTokensMax)
    return fail(Code::kCorrupt, "not an array, or too long", "single");
  bool seen = false;
  for (const json::Value element : single.element_range()) {
    SBX_TRY(const auto sequence, field(element, "Sequence"));
    if (sequence) {
      if (seen) return fail(Code::kUnsupported, "a template with two sequences is not supported");
      seen = true;
      continue;
    }
    SBX_TRY(const auto special, need_field(element, "SpecialToken"));
    SBX_TRY(const auto name, string_field(special, "id", ""));
    SBX_CHECK_OK(append_special(tokens, name, seen ? frame.after : frame.before));
  }
  if (!seen) return fail(Code::kCorrupt, "a template without a sequence");
  return frame;
}

// ["[SEP]", 102]
Result<std::int32_t> pair_id(json::Value value, std::string_view key) {
  SBX_TRY(const auto pair, need_field(value, key));
  if (!pair.is_array() || pair.size() != 2)
    return fail(Code::kCorrupt, "not a pair", std::string(key));
  return to_id(pair.elements()[1]);
}

Result<Frame> read_pair(json::Value value) {
  SBX_TRY(const std::int32_t cls, pair_id(value, "cls"));
  SBX_TRY(const std::int32_t sep, pair_id(value, "sep"));
  return Frame{{cls}, {sep}};
}

}  // namespace

Result<Frame> read_frame(json::Value value) {
  if (value.is_null()) return Frame{};
  SBX_TRY(const std::string type, string_field(value, "type", ""));
  if (type == "ByteLevel") return Frame{};  // trims offsets only
  if (type == "TemplateProcessing") return read_template(value);
  if (type == "BertProcessing" || type == "RobertaProcessing") return read_pair(value);
  if (type != "Sequence")
    return fail(Code::kUnsupported, "post-processor " + type + " is not supported");
  Frame frame;
  SBX_TRY(const auto inner, need_field(value, "processors"));
  for (const json::Value processor : inner.element_range()) {
    SBX_TRY(const std::string inner_type, string_field(processor, "type", ""));
    if (inner_type == "Sequence")
      return fail(Code::kUnsupported, "nested post-processors are not supported");
    SBX_TRY(Frame one, read_frame(processor));
    frame.before.insert(frame.before.begin(), one.before.begin(), one.before.end());
    frame.after.insert(frame.after.end(), one.after.begin(), one.after.end());
  }
  return frame;
}

}  // namespace signalbox::tokenize
