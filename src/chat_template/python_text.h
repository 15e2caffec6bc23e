// What Python's str does, on UTF-8: positions count code points, white space is Unicode's. All texts must be valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::chat_template {

// Python's str.isspace() for one code point.
bool is_space(std::uint32_t point);
bool is_ascii(std::string_view text);
// Code points of a text. O(bytes).
std::size_t length(std::string_view text);

enum class Side : std::uint8_t { kBoth, kLeft, kRight };
// Without white space, or without the characters of `characters`, at the ends.
std::string_view strip(std::string_view text, Side side);
std::string_view strip(std::string_view text, Side side, std::string_view characters);

// str.split() without a separator: between runs of white space. At most `most` cuts; negative: all.
std::vector<std::string_view> split_space(std::string_view text, std::int64_t most);
// str.split(separator), which is not empty.
std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t most);
std::vector<std::string_view> split_from_right(std::string_view text, std::string_view separator,
                                               std::int64_t most);
// str.splitlines().
std::vector<std::string_view> split_lines(std::string_view text);

// The first `most` times (negative: all).
std::string replace(std::string_view text, std::string_view old, std::string_view by,
                    std::int64_t most);
// text[start:stop:step]; nothing when step is 0.
std::optional<std::string> slice(std::string_view text, std::optional<std::int64_t> start,
                                 std::optional<std::int64_t> stop, std::int64_t step);
// Positions that a slice of something of that length takes.
std::vector<std::size_t> slice_positions(std::size_t size, std::optional<std::int64_t> start,
                                         std::optional<std::int64_t> stop, std::int64_t step);
// repr() of a float: the shortest digits that read back.
std::string float_text(double value);

// Letters beyond ASCII are the caller's to refuse.
std::string upper_ascii(std::string_view text);
std::string lower_ascii(std::string_view text);
std::string capitalize_ascii(std::string_view text);
std::string title_ascii(std::string_view text);

}  // namespace signalbox::chat_template
