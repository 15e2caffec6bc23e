// The validating pass. No recursion: an open container names the one around it on the tape, where its end will stand.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "json/document.h"
#include "json/scan.h"
#include "json/utf8.h"

namespace signalbox::json {
namespace {

// Most bodies have a few dozen values; those that have more pay for the growth. A kilobyte is what malloc keeps at hand.
constexpr std::size_t kTapeNodesReserved = 48;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

class Parser {
 public:
  Parser(std::string_view text, const ParseLimits& limits, std::vector<Node>& tape)
      : text_(text), limits_(limits), tape_(tape) {}

  // True when the text is one JSON value; otherwise error() says why not.
  bool run() {
    for (;;) {
      if (!begin_value()) return false;
      if (opened_) continue;
      bool next_value = false;
      while (!next_value) {
        if (depth_ == 0) return at_end();
        if (!after_value(next_value)) return false;
      }
    }
  }

  std::string error() const {
    return fmt::format("invalid JSON at byte {}: {}", error_at_, error_);
  }

 private:
  // NUL where the text has ended: no rule of the grammar accepts a NUL, so it reads as "something else".
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  void skip_space() {
    while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  }

  bool refuse(std::string_view why) {
    error_at_ = position_;
    error_ = why;
    return false;
  }

  bool at_end() {
    skip_space();
    return position_ == text_.size() || refuse("expected the end of the text");
  }

  bool push(Type type) {
    if (tape_.size() >= limits_.nodes_max) return refuse("more values than allowed");
    tape_.push_back({.begin = static_cast<std::uint32_t>(position_), .type = type});
    return true;
  }

  void finish(std::uint32_t index) {
    tape_[index].end = static_cast<std::uint32_t>(position_);
    tape_[index].next = static_cast<std::uint32_t>(tape_.size());
  }

  // Reads a scalar, or opens a container; opened_ says that a value must follow next.
  bool begin_value() {
    skip_space();
    opened_ = false;
    switch (peek()) {
      case '{':
        return open(Type::kObject, '}');
      case '[':
        return open(Type::kArray, ']');
      case '"':
        return string();
      case 't':
        return literal(Type::kTrue, "true");
      case 'f':
        return literal(Type::kFalse, "false");
      case 'n':
        return literal(Type::kNull, "null");
      default:
        return number();
    }
  }

  bool open(Type type, char closing) {
    if (depth_ >= limits_.depth_max) return refuse("nested deeper than allowed");
    const auto index = static_cast<std::uint32_t>(tape_.size());
    if (!push(type)) return false;
    ++position_;
    skip_space();
    if (peek() == closing) {
      ++position_;
      finish(index);
      return true;
    }
    tape_[index].next = innermost_;
    innermost_ = index;
    ++depth_;
    opened_ = true;
    return type == Type::kArray || key("expected a member name or '}'");
  }

  // After a value inside a container: a comma and what it announces, or the end of the container.
  bool after_value(bool& next_value) {
    skip_space();
    Node& container = tape_[innermost_];
    const bool object = container.type == Type::kObject;
    ++container.count;
    if (peek() == ',') {
      ++position_;
      next_value = true;
      return !object || (skip_space(), key("expected a member name"));
    }
    if (peek() != (object ? '}' : ']')) {
      return refuse(object ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    ++position_;
    const std::uint32_t around = container.next;
    finish(innermost_);
    innermost_ = around;
    --depth_;
    return true;
  }

  bool key(std::string_view expected) {
    if (peek() != '"') return refuse(expected);
    if (!string()) return false;
    skip_space();
    if (peek() != ':') return refuse("expected ':'");
    ++position_;
    return true;
  }

  bool string() {
    const auto index = static_cast<std::uint32_t>(tape_.size());
    if (!push(Type::kString)) return false;
    ++position_;
    bool escaped = false;
    for (;;) {
      position_ = find_special(text_, position_);
      if (position_ == text_.size()) return refuse("expected the closing quote of a string");
      if (text_[position_] == '"') break;
      if (text_[position_] != '\\')
        return refuse("expected a control character in a string to be escaped");
      escaped = true;
      if (!escape()) return false;
    }
    ++position_;
    tape_[index].escaped = escaped;
    finish(index);
    return true;
  }

  bool escape() {
    ++position_;
    const char kind = peek();
    ++position_;
    if (kind == 'n' || kind == '"' || kind == '\\') return true;  // nearly all there are
    if (kind == 't' || kind == 'r' || kind == '/' || kind == 'b' || kind == 'f') return true;
    if (kind != 'u') {
      --position_;
      return refuse("expected one of \"\\/bfnrtu after a backslash");
    }
    for (int i = 0; i < 4; ++i, ++position_) {
      if (!is_hex(peek())) return refuse("expected four hexadecimal digits after \\u");
    }
    return true;
  }

  bool literal(Type type, std::string_view word) {
    if (text_.substr(position_, word.size()) != word) return refuse("expected a value");
    const auto index = static_cast<std::uint32_t>(tape_.size());
    if (!push(type)) return false;
    position_ += word.size();
    finish(index);
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return refuse("expected a digit");
    while (is_digit(peek())) ++position_;
    return true;
  }

  // RFC 8259 section 6.
  bool number() {
    if (peek() != '-' && !is_digit(peek())) return refuse("expected a value");
    const auto index = static_cast<std::uint32_t>(tape_.size());
    if (!push(Type::kNumber)) return false;
    if (peek() == '-') ++position_;
    if (peek() == '0') {
      ++position_;  // a digit after a leading zero is refused by whoever comes next
    } else if (!digits()) {
      return false;
    }
    if (peek() == '.') {
      ++position_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++position_;
      if (peek() == '+' || peek() == '-') ++position_;
      if (!digits()) return false;
    }
    finish(index);
    return true;
  }

  std::string_view text_;
  const ParseLimits& limits_;
  std::vector<Node>& tape_;
  std::uint32_t innermost_ = 0;  // open container, where depth_ is not 0
  std::size_t depth_ = 0;
  std::size_t position_ = 0;
  bool opened_ = false;
  std::size_t error_at_ = 0;
  std::string_view error_;
};

}  // namespace

Result<Document> Document::parse(std::string_view text, const ParseLimits& limits) {
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) {
    return fail(Code::kInvalidArgument, "JSON texts of 4 GiB and more are not read");
  }
  if (!is_utf8(text)) {
    return fail(Code::kInvalidArgument,
                fmt::format("invalid JSON at byte {}: expected UTF-8", utf8_prefix(text)));
  }
  Document document;
  document.text_ = text;
  document.tape_.reserve(kTapeNodesReserved);
  Parser parser(text, limits, document.tape_);
  if (!parser.run()) return fail(Code::kInvalidArgument, parser.error());
  return document;
}

}  // namespace signalbox::json
