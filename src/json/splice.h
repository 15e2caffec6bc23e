// Edits on a JSON text without re-serialising it: every byte outside the edits stays as the client wrote it.
// A Patch is a list of replacements of byte ranges of one Document's text, kept sorted and disjoint.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/document.h"

namespace signalbox::json {

class Patch {
 public:
  struct Edit {
    std::size_t begin = 0;  // offset in the original text
    std::size_t end = 0;    // one past the replaced bytes; equal to begin for an insertion
    std::string with;
  };

  // Replaces a whole value by JSON text.
  Result<void> replace(Value value, std::string raw_json);
  // Sets a member of an object: replaces its value, or inserts the member (at the front, so that no edit at the end of
  // the object can collide with it). Errors: kInvalidArgument (not an object, duplicate key, overlapping edit).
  Result<void> set_member(Value object, std::string_view key, std::string raw_json);
  // Removes a member with its comma; absent is fine. Errors as above.
  Result<void> remove_member(Value object, std::string_view key);
  // Inserts an element before element `index` (size() appends).
  Result<void> insert_element(Value array, std::size_t index, std::string raw_json);
  // Removes element `index` of an array with its comma.
  Result<void> remove_element(Value array, std::size_t index);

  bool empty() const { return edits_.empty(); }
  const std::vector<Edit>& edits() const { return edits_; }
  // All edits of both patches; they must not overlap. Used to add per-attempt edits to those of the plugins.
  Result<Patch> merged(const Patch& other) const;
  // The edited text. O(bytes + edits).
  std::string apply(std::string_view text) const;
  std::size_t applied_size(std::size_t text_size) const;

 private:
  Result<void> add(Edit edit);
  std::vector<Edit> edits_;  // sorted by begin, disjoint
};

// JSON text of a string, quotes included; valid UTF-8 passes through, control characters are escaped.
std::string quote(std::string_view text);
void append_quoted(std::string& out, std::string_view text);

}  // namespace signalbox::json
