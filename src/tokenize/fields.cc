#include "tokenize/fields.h"

#include "base/limits.h"

namespace signalbox::tokenize {
namespace {

std::unexpected<Error> wrong(std::string_view key) {
  return fail(Code::kCorrupt, "missing, or not of the right type", std::string(key));
}

}  // namespace

Result<std::optional<json::Value>> field(json::Value object, std::string_view key) {
  auto found = object.find(key);
  if (!found) return fail(Code::kCorrupt, found.error().message, std::string(key));
  if (*found && (*found)->is_null()) return std::nullopt;
  return *found;
}

Result<json::Value> need_field(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, field(object, key));
  if (!found) return wrong(key);
  return *found;
}

Result<bool> bool_field(json::Value object, std::string_view key, bool otherwise) {
  SBX_TRY(const auto found, field(object, key));
  if (!found) return otherwise;
  const auto value = found->boolean();
  if (!value) return wrong(key);
  return *value;
}

Result<std::string> string_field(json::Value object, std::string_view key,
                                 std::string_view otherwise) {
  SBX_TRY(const auto found, field(object, key));
  if (!found) return std::string(otherwise);
  if (!found->is_string()) return wrong(key);
  return found->string();
}

Result<std::int32_t> to_id(json::Value value) {
  const auto number = value.integer();
  if (!number || *number < 0 || *number >= static_cast<std::int64_t>(limits::kVocabularyPiecesMax))
    return fail(Code::kCorrupt, "a token id is not a number of the allowed range");
  return static_cast<std::int32_t>(*number);
}

Result<std::int32_t> id_field(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, need_field(object, key));
  return to_id(found);
}

Result<Pattern> pattern_field(json::Value object) {
  SBX_TRY(const auto pattern, need_field(object, "pattern"));
  SBX_TRY(const auto literal, field(pattern, "String"));
  if (literal) {
    const std::string text = literal->string();
    if (text.empty() || text.size() > limits::kPatternBytesMax) return wrong("String");
    return Pattern::literal(text);
  }
  SBX_TRY(const auto expression, string_field(pattern, "Regex", ""));
  return Pattern::compile(expression);
}

}  // namespace signalbox::tokenize
