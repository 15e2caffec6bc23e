// A validated JSON text with the byte offsets of everything in it. One pass checks the whole document (RFC 8259 syntax,
// UTF-8, depth, nothing after the value) and records a flat tape; nothing is copied and nothing is unescaped until asked.
// Why not a DOM: bodies are patched in place (json/splice.h), so positions matter more than values.
//
// Keys are compared unescaped ("model" equals "model"). An object may hold a key twice in JSON; find() refuses that
// for any key asked for, because an engine might read the other one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"

namespace signalbox::json {

enum class Type : std::uint8_t { kNull, kTrue, kFalse, kNumber, kString, kArray, kObject };

// One value (or key) on the tape. Children of a container follow it directly; in objects keys and values alternate.
struct Node {
  std::uint32_t begin = 0;  // offset of the first byte, quotes and brackets included
  std::uint32_t end = 0;    // one past the last byte
  std::uint32_t next = 0;   // tape index one past this value and all it contains
  std::uint32_t count = 0;  // elements of an array, members of an object
  Type type = Type::kNull;
  bool escaped = false;  // a string that holds a backslash
};

class Value;

struct ParseLimits {
  std::size_t depth_max = limits::kJsonDepthMax;
  std::size_t nodes_max = limits::kJsonNodesMax;
};

// Borrows the text: it must outlive the Document and stay where it is. Movable, cheap to move.
class Document {
 public:
  Document() = default;
  // O(bytes). Errors: kInvalidArgument, the message names the byte offset and what was expected.
  static Result<Document> parse(std::string_view text, const ParseLimits& limits = {});
  Value root() const;
  std::string_view text() const { return text_; }
  bool empty() const { return tape_.empty(); }

 private:
  friend class Value;
  std::string_view text_;
  std::vector<Node> tape_;
};

// A cursor on one value. Cheap to copy; valid as long as the Document.
class Value {
 public:
  Value(const Document* document, std::uint32_t index) : document_(document), index_(index) {}

  Type type() const { return node().type; }
  bool is_object() const { return type() == Type::kObject; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_string() const { return type() == Type::kString; }
  bool is_null() const { return type() == Type::kNull; }
  std::size_t begin() const { return node().begin; }
  std::size_t end() const { return node().end; }
  std::size_t size() const { return node().count; }
  // The bytes of the value as written.
  std::string_view raw() const;

  // Member of an object. Errors: kInvalidArgument when the key occurs twice (message and param name it).
  // Nothing when absent or when this is not an object. O(members).
  Result<std::optional<Value>> find(std::string_view key) const;
  // Refuses an object that holds any key twice. Fine for other types. Errors: kInvalidArgument, param is the key.
  // O(members log members).
  Result<void> require_unique_keys() const;
  // Of an object: a bit for each length that one of its unescaped keys may have (length modulo 64; every bit if a key
  // holds an escape). Many keys that are looked for are in no object, and are told so without a walk. O(members).
  std::uint64_t key_lengths() const;
  static std::uint64_t length_bit(std::string_view key) {
    return std::uint64_t{1} << (key.size() % 64);
  }
  // Key i and value i of an object in file order; element i of an array. Empty for other types. The ranges walk the tape,
  // O(1) a step and without allocation; the vectors are for random access.
  struct Member;
  class MemberRange;
  class ElementRange;
  MemberRange member_range() const;
  ElementRange element_range() const;
  std::vector<Member> members() const;
  std::vector<Value> elements() const;

  // True for a string whose unescaped text is `text`.
  bool equals(std::string_view text) const;
  // Strings: bytes between the quotes, unescaped. Empty for other types. `storage` is used only if
  // the string holds
  // escapes; otherwise the view points into the text. Lone surrogates become U+FFFD.
  std::string_view string_view(std::string& storage) const;
  std::string string() const;
  bool has_escapes() const { return node().escaped; }
  std::optional<bool> boolean() const;
  // Numbers: nothing when not a number, when it overflows or, for integer(), when not whole. 5.0 and 1e3 are whole: engines
  // read them as integers too.
  std::optional<double> number() const;
  std::optional<std::int64_t> integer() const;

 private:
  friend class Document;
  friend class MemberRange;
  friend class ElementRange;
  std::optional<Result<void>> compare_keys_pairwise() const;
  std::uint32_t next() const { return node().next; }
  const Node& node() const { return document_->tape_[index_]; }
  const Document* document_;
  std::uint32_t index_;
};

struct Value::Member {
  Value key;
  Value value;
};

// Members of an object for range-for; as valid as the Value it came from.
class Value::MemberRange {
 public:
  struct Iterator {
    const Document* document;
    std::uint32_t index;  // of the key; the value follows it on the tape
    Member operator*() const { return {Value(document, index), Value(document, index + 1)}; }
    Iterator& operator++() {
      index = Value(document, index + 1).next();
      return *this;
    }
    bool operator==(const Iterator&) const = default;
  };
  Iterator begin() const { return first_; }
  Iterator end() const { return last_; }

 private:
  friend class Value;
  MemberRange(Iterator first, Iterator last) : first_(first), last_(last) {}
  Iterator first_;
  Iterator last_;
};

// Elements of an array for range-for.
class Value::ElementRange {
 public:
  struct Iterator {
    const Document* document;
    std::uint32_t index;
    Value operator*() const { return {document, index}; }
    Iterator& operator++() {
      index = Value(document, index).next();
      return *this;
    }
    bool operator==(const Iterator&) const = default;
  };
  Iterator begin() const { return first_; }
  Iterator end() const { return last_; }

 private:
  friend class Value;
  ElementRange(Iterator first, Iterator last) : first_(first), last_(last) {}
  Iterator first_;
  Iterator last_;
};

}  // namespace signalbox::json
