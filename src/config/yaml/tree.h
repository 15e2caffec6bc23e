// A YAML document as a tree of our own. Built from parser events, so that every bound holds while parsing: depth, nodes
// and bytes are counted after alias expansion, duplicate keys and second documents are refused, and each node knows
// where it was written. The conversions of older generations rewrite this tree; everything after them sees one shape.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::config {

// Position in the file, 1-based; line 0: not from a file.
struct Mark {
  int line = 0;
  int column = 0;
  bool operator==(const Mark&) const = default;
};

struct Node {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  bool quoted =
      false;  // a scalar that was quoted (or a block scalar): never a number, boolean or null
  std::string scalar;
  std::vector<Node> items;
  std::vector<Entry> entries;  // in file order, keys unique
  Mark mark;
  std::string
      origin;  // key path as written, set where a conversion moved the node; empty: where it stands

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }

  // Value of a key of a map; nullptr when absent, null-valued or not a map. O(entries).
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  // As find(), but also sees keys without a value.
  const Entry* entry(std::string_view key) const;
  // Scalar text of a key, or "".
  std::string_view text(std::string_view key) const;
  // Adds or replaces. Turns a null node into a map.
  Node& set(std::string_view key, Node value);
  // Removes and returns; a null node when absent.
  Node take(std::string_view key);
};

struct Node::Entry {
  std::string key;
  Mark mark;  // of the key
  Node value;
};

Node scalar_node(std::string text, Mark mark, bool quoted = false);

// Where a text is not YAML as we accept it.
struct TreeError {
  Mark mark;
  std::string message;
  std::string remedy;
};

// Errors: syntax, more than one document, duplicate keys, unknown aliases, and the limits kConfigDepthMax,
// kConfigNodesMax, kConfigBytesMax (also of the expanded text). An empty text is a null node. O(bytes after expansion).
std::expected<Node, TreeError> parse_tree(std::string_view text);

}  // namespace signalbox::config
