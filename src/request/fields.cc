#include "request/fields.h"

#include <fmt/format.h>

#include <utility>

namespace signalbox::request {
namespace {

std::unexpected<Error> wrong_type(std::string path, std::string_view expected) {
  std::string message = path.empty() ? fmt::format("the request body must be {}", expected)
                                     : fmt::format("'{}' must be {}", path, expected);
  return fail(Code::kInvalidArgument, std::move(message), std::move(path));
}

}  // namespace

std::string member_path(const Object& object, std::string_view key) {
  return object.path.empty() ? std::string(key) : fmt::format("{}.{}", object.path, key);
}

Result<Object> as_object(json::Value value, std::string path) {
  if (!value.is_object()) return wrong_type(std::move(path), "an object");
  if (auto unique = value.require_unique_keys(); !unique) {
    Error error = std::move(unique).error();
    if (!path.empty()) {
      error.message += fmt::format(" in '{}'", path);
      error.param = fmt::format("{}.{}", path, error.param);
    }
    return std::unexpected(std::move(error));
  }
  return Object{value, std::move(path), value.key_lengths()};
}

Result<std::optional<json::Value>> find_any(const Object& object, std::string_view key) {
  if ((object.key_lengths & json::Value::length_bit(key)) == 0) return std::nullopt;
  SBX_TRY(const std::optional<json::Value> found, object.value.find(key));
  if (!found || found->is_null()) return std::nullopt;
  return found;
}

Result<std::optional<json::Value>> find_string(const Object& object, std::string_view key) {
  SBX_TRY(const std::optional<json::Value> found, find_any(object, key));
  if (found && !found->is_string()) return wrong_type(member_path(object, key), "a string");
  return found;
}

Result<std::optional<json::Value>> find_array(const Object& object, std::string_view key) {
  SBX_TRY(const std::optional<json::Value> found, find_any(object, key));
  if (found && !found->is_array()) return wrong_type(member_path(object, key), "an array");
  return found;
}

Result<std::optional<Object>> find_object(const Object& object, std::string_view key) {
  SBX_TRY(const std::optional<json::Value> found, find_any(object, key));
  if (!found) return std::nullopt;
  return as_object(*found, member_path(object, key));
}

Result<bool> find_bool(const Object& object, std::string_view key, bool otherwise) {
  SBX_TRY(const std::optional<json::Value> found, find_any(object, key));
  if (!found) return otherwise;
  if (const std::optional<bool> value = found->boolean()) return *value;
  return wrong_type(member_path(object, key), "true or false");
}

Result<std::optional<std::int64_t>> find_count(const Object& object, std::string_view key) {
  SBX_TRY(const std::optional<json::Value> found, find_any(object, key));
  if (!found) return std::nullopt;
  const std::optional<std::int64_t> value = found->integer();
  if (!value || *value < 0)
    return wrong_type(member_path(object, key), "a whole number, 0 or more");
  return value;
}

std::string_view TextPool::keep(std::string text) {
  return *texts_.emplace_back(std::make_unique<std::string>(std::move(text)));
}

std::string_view TextPool::keep(json::Value string) {
  if (string.has_escapes()) return keep(string.string());
  std::string unused;
  return string.string_view(unused);
}

}  // namespace signalbox::request
