// Appends JSON to a string, one call per token; commas come by themselves. For answers of our own: errors, model lists,
// explanations. The caller keeps begin/end and key/value in balance; nothing is checked but by the tests that read the
// result back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json/splice.h"

namespace signalbox::json {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& begin_object() { return open('{'); }
  Writer& end_object() { return close('}'); }
  Writer& begin_array() { return open('['); }
  Writer& end_array() { return close(']'); }
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);
  Writer& integer(std::int64_t value);
  // Shortest form that reads back as the same double; null for infinities and NaN, which JSON does not have.
  Writer& number(double value);
  Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
  Writer& null() { return raw("null"); }
  // JSON text made elsewhere.
  Writer& raw(std::string_view json);

 private:
  Writer& open(char bracket);
  Writer& close(char bracket);
  void separate();

  std::string& out_;
  bool comma_due_ = false;
};

}  // namespace signalbox::json
