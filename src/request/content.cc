#include "request/content.h"

#include <fmt/format.h>

#include <vector>

namespace signalbox::request {
namespace {

using json::Value;

// Joins views and copies only if there is more than one.
std::string_view joined(const std::vector<std::string_view>& texts, TextPool& pool) {
  if (texts.empty()) return {};
  if (texts.size() == 1) return texts.front();
  return pool.keep(fmt::format("{}", fmt::join(texts, "\n")));
}

class PartReader {
 public:
  explicit PartReader(TextPool& pool) : pool_(pool) {}

  Result<void> read(Value element, const std::string& path) {
    if (element.is_string()) {
      texts_.push_back(pool_.keep(element));
      return {};
    }
    SBX_TRY(const Object part, as_object(element, path));
    SBX_TRY(const std::optional<Value> type_value, find_string(part, "type"));
    const std::string type = type_value ? type_value->string() : std::string();
    if (type == "tool_result") return read_tool_result(part);
    SBX_TRY(const std::optional<Value> text, find_string(part, "text"));
    if (text) texts_.push_back(pool_.keep(*text));
    SBX_TRY(const bool image, is_image(part, type));
    content_.has_image |= image;
    content_.has_tool_use |= type == "tool_use";
    content_.has_other |= !text;
    return {};
  }

  Content finish() {
    content_.text = joined(texts_, pool_);
    content_.tool_text = joined(tool_texts_, pool_);
    return content_;
  }

 private:
  // Some engines take an image part without a type.
  static Result<bool> is_image(const Object& part, std::string_view type) {
    if (type == "image_url" || type == "input_image" || type == "image") return true;
    SBX_TRY(const std::optional<Value> url, find_any(part, "image_url"));
    return url.has_value();
  }

  // Blocks inside a tool result are text and images; a result inside a result is not a thing, so one level suffices.
  Result<void> read_tool_result(const Object& part) {
    content_.has_tool_result = true;
    SBX_TRY(const std::optional<Value> inner, find_any(part, "content"));
    if (!inner) return {};
    if (inner->is_string()) {
      tool_texts_.push_back(pool_.keep(*inner));
      return {};
    }
    std::size_t index = 0;
    for (const Value element : inner->element_range()) {
      SBX_TRY(const Object block,
              as_object(element, fmt::format("{}.content[{}]", part.path, index++)));
      SBX_TRY(const std::optional<Value> text, find_string(block, "text"));
      if (text) tool_texts_.push_back(pool_.keep(*text));
      SBX_TRY(const std::optional<Value> type, find_string(block, "type"));
      content_.has_image |= type && type->equals("image");
    }
    return {};
  }

  TextPool& pool_;
  Content content_;
  std::vector<std::string_view> texts_;
  std::vector<std::string_view> tool_texts_;
};

}  // namespace

Result<Content> read_content(Value value, const std::string& path, TextPool& pool) {
  if (value.is_string()) return Content{.text = pool.keep(value)};
  if (!value.is_array()) {
    return fail(Code::kInvalidArgument, fmt::format("'{}' must be a string or an array", path),
                path);
  }
  PartReader reader(pool);
  std::size_t index = 0;
  for (const Value element : value.element_range()) {
    SBX_CHECK_OK(reader.read(element, fmt::format("{}[{}]", path, index++)));
  }
  return reader.finish();
}

}  // namespace signalbox::request
