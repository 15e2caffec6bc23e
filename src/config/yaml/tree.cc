#include "config/yaml/tree.h"

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "base/limits.h"

namespace signalbox::config {
namespace {

Mark to_mark(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Leaves the event handler early; caught in parse_tree, never seen outside this file.
struct Refused {
  TreeError error;
};

[[noreturn]] void refuse(Mark mark, std::string message, std::string remedy) {
  // tidy: allow(throw) the only way out of yaml-cpp's event interface; caught in parse_tree
  throw Refused{{mark, std::move(message), std::move(remedy)}};
}

class Builder final : public YAML::EventHandler {
 public:
  int documents() const { return documents_; }
  Node take_root() { return std::move(root_); }
  Mark root_mark() const { return root_.mark; }
  bool root_is_null() const { return root_.is_null(); }

  void OnDocumentStart(const YAML::Mark&) override {
    ++documents_;
    anchors_.clear();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = to_mark(mark);
    finish(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp gives plain scalars the tag "?".
    finish(scalar_node(value, to_mark(mark), tag != "?"), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      refuse(to_mark(mark), "an alias refers to itself or to nothing",
             "define the anchor before it");
    }
    Node copy = copied(found->second, to_mark(mark));
    finish(std::move(copy), YAML::NullAnchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::kSequence, to_mark(mark), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, to_mark(mark), anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    bool have_key = false;
    Node::Entry pending;
    std::vector<Node> merges;  // values of "<<"
    // Keys so far, with their lines: a linear search would make a hostile map of 100k keys quadratic.
    std::unordered_map<std::string, int> seen;
  };

  void open(Node::Kind kind, Mark mark, YAML::anchor_t anchor) {
    if (stack_.size() >= limits::kConfigDepthMax) {
      refuse(mark, fmt::format("nested deeper than {} levels", limits::kConfigDepthMax),
             "flatten the document");
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.mark = mark;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    for (auto& merged : frame.merges) merge(frame, std::move(merged));
    finish(std::move(frame.node), frame.anchor);
  }

  void count(const Node& node) {
    nodes_ += 1;
    bytes_ += node.scalar.size();
    if (nodes_ > limits::kConfigNodesMax || bytes_ > 2 * limits::kConfigBytesMax) {
      refuse(node.mark,
             fmt::format("more than {} nodes or {} bytes once aliases are expanded",
                         limits::kConfigNodesMax, 2 * limits::kConfigBytesMax),
             "use fewer aliases");
    }
  }

  // A deep copy that is counted node by node, so that an alias bomb stops at the limit and not at the end of memory.
  Node copied(const Node& node, Mark mark) {
    count(node);
    Node out;
    out.kind = node.kind;
    out.quoted = node.quoted;
    out.scalar = node.scalar;
    out.mark = mark;
    for (const auto& item : node.items) out.items.push_back(copied(item, item.mark));
    for (const auto& entry : node.entries) {
      out.entries.push_back({entry.key, entry.mark, copied(entry.value, entry.value.mark)});
    }
    return out;
  }

  void finish(Node node, YAML::anchor_t anchor) {
    count(node);
    if (anchor != YAML::NullAnchor) anchors_.emplace(anchor, copied(node, node.mark));
    if (stack_.empty()) {
      if (documents_ <= 1)
        root_ = std::move(node);
      else
        second_ = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.is_sequence()) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.have_key) {
      take_key(frame, std::move(node));
    } else {
      take_value(frame, std::move(node));
    }
  }

  static void take_key(Frame& frame, Node node) {
    if (!node.is_scalar()) refuse(node.mark, "a key must be a plain word", "quote the key");
    bytes_guard(node);
    frame.pending = {std::move(node.scalar), node.mark, {}};
    frame.have_key = true;
  }

  static void bytes_guard(const Node& key) {
    if (key.scalar.size() > limits::kConfigKeyBytesMax) {
      refuse(key.mark, fmt::format("a key longer than {} bytes", limits::kConfigKeyBytesMax),
             "shorten it");
    }
  }

  static void take_value(Frame& frame, Node node) {
    frame.have_key = false;
    if (frame.pending.key == "<<") {
      frame.merges.push_back(std::move(node));
      return;
    }
    const auto [earlier, added] = frame.seen.emplace(frame.pending.key, frame.pending.mark.line);
    if (!added) {
      refuse(
          frame.pending.mark,
          fmt::format("key '{}' stands twice, first in line {}", earlier->first, earlier->second),
          "keep one of them");
    }
    frame.pending.value = std::move(node);
    frame.node.entries.push_back(std::move(frame.pending));
    frame.pending = {};
  }

  // "<<: *base" takes over the keys that the map itself does not have.
  static void merge(Frame& into, Node from) {
    if (from.is_sequence()) {
      for (auto& item : from.items) merge(into, std::move(item));
      return;
    }
    if (!from.is_map()) refuse(from.mark, "a merge key needs a map", "write <<: *anchor");
    for (auto& entry : from.entries) {
      if (into.seen.emplace(entry.key, entry.mark.line).second)
        into.node.entries.push_back(std::move(entry));
    }
  }

  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  Node root_;
  Node second_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

std::expected<Node, TreeError> parse_guarded(std::string_view text) {
  std::istringstream in{std::string(text)};
  YAML::Parser parser(in);
  Builder builder;
  if (!parser.HandleNextDocument(builder)) return Node{};
  Builder rest;
  if (parser.HandleNextDocument(rest) && !rest.root_is_null()) {
    refuse(rest.root_mark(), "a second document in one file", "keep one document per file");
  }
  return builder.take_root();
}

}  // namespace

const Node::Entry* Node::entry(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &*found;
}

const Node* Node::find(std::string_view key) const {
  const auto* found = entry(key);
  return found == nullptr || found->value.is_null() ? nullptr : &found->value;
}

Node* Node::find(std::string_view key) {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() || found->value.is_null() ? nullptr : &found->value;
}

std::string_view Node::text(std::string_view key) const {
  const auto* found = find(key);
  return found != nullptr && found->is_scalar() ? std::string_view(found->scalar)
                                                : std::string_view();
}

Node& Node::set(std::string_view key, Node value) {
  kind = Kind::kMap;
  const auto found = std::ranges::find(entries, key, &Entry::key);
  if (found != entries.end()) {
    found->value = std::move(value);
    return found->value;
  }
  const Mark at = value.mark;
  return entries.emplace_back(std::string(key), at, std::move(value)).value;
}

Node Node::take(std::string_view key) {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  if (found == entries.end()) return {};
  Node value = std::move(found->value);
  entries.erase(found);
  return value;
}

Node scalar_node(std::string text, Mark mark, bool quoted) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.quoted = quoted;
  node.scalar = std::move(text);
  node.mark = mark;
  return node;
}

std::expected<Node, TreeError> parse_tree(std::string_view text) {
  if (text.size() > limits::kConfigBytesMax) {
    return std::unexpected(TreeError{{},
                                     fmt::format("larger than {} bytes", limits::kConfigBytesMax),
                                     "split or shorten the file"});
  }
  try {
    return parse_guarded(text);
  } catch (const Refused& refused) {
    return std::unexpected(refused.error);
  } catch (const YAML::Exception& error) {
    return std::unexpected(
        TreeError{to_mark(error.mark), "not valid YAML: " + error.msg, "check the indentation"});
  }
}

}  // namespace signalbox::config
