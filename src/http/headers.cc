#include "http/headers.h"

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

bool lies_in(const std::string& text, std::string_view part) {
  const std::less_equal<> before;
  return before(text.data(), part.data()) && before(part.data(), text.data() + text.size());
}

std::string without_controls(std::string_view value) {
  std::string clean(value);
  std::ranges::replace_if(clean, [](char c) { return !is_field_value({&c, 1}); }, ' ');
  return clean;
}

}  // namespace

Headers::Entry Headers::append(std::string_view name, std::string_view value) {
  const std::size_t needed = text_.size() + name.size() + value.size() + kLineBytes;
  // A part of our own text would move away under the append.
  if (needed > text_.capacity() && (lies_in(text_, name) || lies_in(text_, value))) {
    return append(std::string(name), std::string(value));
  }
  const Entry entry{static_cast<std::uint32_t>(text_.size()),
                    static_cast<std::uint32_t>(name.size()),
                    static_cast<std::uint32_t>(value.size())};
  text_.append(name).append(": ").append(value).append("\r\n");
  return entry;
}

void Headers::add_checked(std::string_view name, std::string_view value) {
  entries_.push_back(append(name, value));
}

void Headers::add(std::string_view name, std::string_view value) {
  if (!is_token(name)) return;
  value = trim(value);
  if (is_field_value(value)) {
    add_checked(name, value);
  } else {
    add_checked(name, without_controls(value));
  }
}

void Headers::set(std::string_view name, std::string_view value) {
  const auto same = [&](const Entry& entry) { return equal_ignore_case(field(entry).name, name); };
  const auto first = std::ranges::find_if(entries_, same);
  if (first == entries_.end()) {
    add(name, value);
    return;
  }
  const auto index = first - entries_.begin();
  const std::size_t before = entries_.size();
  add(field(*first).name, value);  // keeps the spelling that was there
  if (entries_.size() == before) return;
  entries_[index] = entries_.back();
  entries_.pop_back();
  entries_.erase(std::remove_if(entries_.begin() + index + 1, entries_.end(), same),
                 entries_.end());
}

void Headers::set_all(const Headers& others) {
  for (const Field& other : others.fields()) set(other.name, other.value);
}

void Headers::reserve(std::size_t fields, std::size_t bytes) {
  entries_.reserve(fields);
  text_.reserve(bytes);
}

std::size_t Headers::remove(std::string_view name) {
  const std::size_t before = entries_.size();
  remove_if([&](const Field& each) { return equal_ignore_case(each.name, name); });
  return before - entries_.size();
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name_bytes != name.size()) continue;
    const Field each = field(entry);
    if (equal_ignore_case(each.name, name)) return each.value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      entries_, [&](const Entry& entry) { return equal_ignore_case(field(entry).name, name); }));
}

void Headers::clear() {
  entries_.clear();
  text_.clear();
}

}  // namespace signalbox::http
