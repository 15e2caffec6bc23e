#include "http/headers.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

bool lies_in(const std::string& text, std::string_view part) {
  const std::less_equal<> before;
  return before(text.data(), part.data()) && before(part.data(), text.data() + text.size());
}

// A token, or that behind a colon: HTTP/2's pseudo-headers, as proxies report them.
bool is_name(std::string_view name) {
  if (name.starts_with(':')) name.remove_prefix(1);
  return is_token(name);
}

std::string without_controls(std::string_view value) {
  std::string clean(value);
  std::ranges::replace_if(clean, [](char c) { return !is_field_value({&c, 1}); }, ' ');
  return clean;
}

}  // namespace

Headers::Place Headers::append(std::string_view name, std::string_view value) {
  constexpr std::string_view kColon = ": ";
  constexpr std::string_view kEnd = "\r\n";
  const std::size_t begin = text_.size();
  const std::size_t end = begin + name.size() + kColon.size() + value.size() + kEnd.size();
  // A part of our own text would move away under the append.
  if (end > text_.capacity() && (lies_in(text_, name) || lies_in(text_, value)))
    return append(std::string(name), std::string(value));
  text_.resize_and_overwrite(end, [&](char* text, std::size_t) {
    char* at = text + begin;
    for (const auto part : {name, kColon, value, kEnd}) {
      if (!part.empty()) std::memcpy(at, part.data(), part.size());
      at += part.size();
    }
    return end;
  });
  const auto value_begin = begin + name.size() + kColon.size();
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(name.size()),
          static_cast<std::uint32_t>(value_begin), static_cast<std::uint32_t>(value.size()),
          static_cast<std::uint32_t>(end)};
}

void Headers::take(std::string_view lines, std::size_t fields, std::size_t bytes_more) {
  places_.clear();
  reserve(fields, lines.size() + bytes_more);
  text_.assign(lines);
}

void Headers::add(std::string_view name, std::string_view value) {
  if (!is_name(name)) return;
  value = trim(value);
  if (is_field_value(value)) {
    places_.push_back(append(name, value));
  } else {
    places_.push_back(append(name, without_controls(value)));
  }
}

void Headers::set(std::string_view name, std::string_view value) {
  if (!is_name(name)) return;
  value = trim(value);
  if (is_field_value(value)) {
    set_checked(name, value);
  } else {
    set_checked(name, without_controls(value));
  }
}

void Headers::set_checked(std::string_view name, std::string_view value) {
  const auto same = [&](const Place& place) {
    return place.name_bytes == name.size() && equal_ignore_case(field(place).name, name);
  };
  const auto first = std::ranges::find_if(places_, same);
  if (first == places_.end()) {
    places_.push_back(append(name, value));
    return;
  }
  *first = append(field(*first).name, value);  // keeps the spelling that was there
  places_.erase(std::remove_if(first + 1, places_.end(), same), places_.end());
}

void Headers::reserve(std::size_t fields, std::size_t bytes) {
  places_.reserve(fields);
  text_.reserve(bytes);
}

std::size_t Headers::remove(std::string_view name) {
  const std::size_t before = places_.size();
  remove_if([&](const Field& each) { return equal_ignore_case(each.name, name); });
  return before - places_.size();
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Place& place : places_) {
    if (place.name_bytes != name.size()) continue;
    const Field each = field(place);
    if (equal_ignore_case(each.name, name)) return each.value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      places_, [&](const Place& place) { return equal_ignore_case(field(place).name, name); }));
}

void Headers::clear() {
  places_.clear();
  text_.clear();
}

}  // namespace signalbox::http
