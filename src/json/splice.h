// Edits on a JSON text without re-serialising it: every byte outside the edits stays as the client wrote it.
// A Patch collects edits of values, members and elements of one Document and keeps them as a sorted, disjoint list of
// replaced byte ranges. Commas are worked out per container from all its edits together, so any mix of insertions and
// removals leaves valid JSON. It holds no pointer into the Document: it stays good while the text does.
//
// Edits made one after another compose: the later edit of the same value wins, a removed member can be set again, a
// member inserted before can be set to something else. What cannot be said is an edit inside a value that another edit
// replaces or removes: that is refused as overlapping.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "json/document.h"

namespace signalbox::json {

struct Edit {
  std::size_t begin = 0;  // offset in the original text
  std::size_t end = 0;    // one past the replaced bytes; equal to begin for an insertion
  std::string with;
};

// A text and the edits that make another of it, not made yet: a long body is sent in pieces, most of them the client's own
// bytes, and copied nowhere. Borrows the text.
class EditedText {
 public:
  // `edits` are sorted and disjoint, as those of a Patch.
  explicit EditedText(std::string_view text, std::vector<Edit> edits = {})
      : text_(text), edits_(std::move(edits)) {}

  std::size_t size() const;
  // In order, none of them empty; good as long as this object, or the one it is moved to.
  std::vector<std::string_view> pieces() const;
  // In one piece. O(bytes + edits).
  std::string str() const;

 private:
  std::string_view text_;
  std::vector<Edit> edits_;
};

class Patch {
 public:
  // `raw_json` is always JSON text that the caller made or took from a Document. All errors are kInvalidArgument: not an
  // object or array, index past the end, a key that occurs twice, an overlapping edit. A failed call changes nothing.
  // Cost: O(children of the edited container + edits so far).

  // Replaces a whole value.
  Result<void> replace(Value value, std::string raw_json);
  // Sets a member of an object: replaces its value, or inserts the member at the front (in order of the calls).
  Result<void> set_member(Value object, std::string_view key, std::string raw_json);
  // Removes a member with its comma; absent is fine.
  Result<void> remove_member(Value object, std::string_view key);
  // Removes every member whose unescaped key `drop` accepts, in one pass; also keys that occur twice.
  Result<void> remove_members_if(Value object, const std::function<bool(std::string_view)>& drop);
  // Inserts an element before element `index` (size() appends).
  Result<void> insert_element(Value array, std::size_t index, std::string raw_json);
  // Removes element `index` of an array with its comma.
  Result<void> remove_element(Value array, std::size_t index);

  // True when the value itself, or something that contains it, is replaced or removed: it must not be edited inside.
  bool covers(Value value) const;
  bool empty() const { return edits_.empty(); }
  const std::vector<Edit>& edits() const& { return edits_; }
  std::vector<Edit> edits() && { return std::move(edits_); }
  // Edits of both, as if those of `later` had been made after ours. Used to add per-attempt edits to those of the plugins.
  Result<Patch> merged(const Patch& later) const;
  // The edited text. O(bytes + edits).
  std::string apply(std::string_view text) const { return EditedText(text, edits_).str(); }

 private:
  struct Child {
    std::size_t begin = 0;  // of the key in objects, else of the value
    std::size_t value = 0;  // of the value
    std::size_t end = 0;
    bool removed = false;
  };
  struct Insertion {
    std::size_t index = 0;  // goes before this child
    std::string key;        // unescaped; unused in arrays
    std::string text;       // in objects with key and colon
  };
  // A container whose children are removed or get company.
  struct Container {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool is_object = false;
    std::vector<Child> children;
    std::vector<Insertion> insertions;  // sorted by index

    bool is_edited() const;  // false again once every edit has been taken back
  };

  static Container snapshot(Value value);
  static void insert(Container& container, Insertion insertion);
  static void lower(const Container& container, std::vector<Edit>& out);
  Container* find_container(std::size_t begin);
  // Our record of that container, made if there is none. Refused when something covers it.
  Result<Container*> open_container(Value value);
  Result<Container*> open_container(const Container& like);
  Result<void> replace_range(std::size_t begin, std::size_t end, std::string with);
  bool is_removable(const Child& child) const;
  void remove_child(Child& child);
  bool is_covered(std::size_t begin, std::size_t end) const;
  bool is_edited_inside(std::size_t begin, std::size_t end) const;
  void rebuild();

  std::vector<Container> containers_;
  std::vector<Edit> values_;  // replaced values
  std::vector<Edit> edits_;   // what both lists come to, sorted by begin, disjoint
};

// JSON text of a string, quotes included. Valid UTF-8 passes through, control characters are escaped; bytes that are not
// UTF-8 become U+FFFD.
std::string quote(std::string_view text);
void append_quoted(std::string& out, std::string_view text);

}  // namespace signalbox::json
