// Typed access to members of a request body. Null counts as absent, as every engine reads it. All errors are
// kInvalidArgument and name the field in `param`; no value of the client appears in a message.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/document.h"

namespace signalbox::request {

// An object of the body and how the client would name it: "messages[2]", empty for the body itself.
struct Object {
  json::Value value;
  std::string path;
  std::uint64_t key_lengths = 0;  // json::Value::key_lengths()
};

std::string member_path(const Object& object, std::string_view key);

// Refuses non-objects and objects that hold a key twice.
Result<Object> as_object(json::Value value, std::string path);

// The member, of any type but null. O(members).
Result<std::optional<json::Value>> find_any(const Object& object, std::string_view key);
// The member, refused when it is there with another type.
Result<std::optional<json::Value>> find_string(const Object& object, std::string_view key);
Result<std::optional<json::Value>> find_array(const Object& object, std::string_view key);
Result<std::optional<Object>> find_object(const Object& object, std::string_view key);
Result<bool> find_bool(const Object& object, std::string_view key, bool otherwise);
// Whole numbers >= 0.
Result<std::optional<std::int64_t>> find_count(const Object& object, std::string_view key);

// Keeps texts that had to be unescaped or joined; views stay good when the pool grows or moves.
class TextPool {
 public:
  explicit TextPool(std::vector<std::unique_ptr<std::string>>& texts) : texts_(texts) {}
  std::string_view keep(std::string text);
  // The string's text: a view of the body where it has no escapes.
  std::string_view keep(json::Value string);

 private:
  std::vector<std::unique_ptr<std::string>>& texts_;
};

}  // namespace signalbox::request
