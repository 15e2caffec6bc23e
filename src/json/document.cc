#include "json/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <forward_list>

#include "base/assert.h"
#include "json/splice.h"
#include "json/unescape.h"
#include "json/utf8.h"

namespace signalbox::json {

namespace {

// The key comes from the client: it is shown cut short.
std::unexpected<Error> twice_error(std::string_view key) {
  constexpr std::size_t kShownMax = 64;
  const std::string_view shown = key.substr(0, utf8_prefix(key.substr(0, kShownMax)));
  return fail(Code::kInvalidArgument, fmt::format("the key {} occurs twice", quote(shown)),
              std::string(shown));
}

}  // namespace

Value Document::root() const {
  SBX_ASSERT(!tape_.empty());
  return {this, 0};
}

std::string_view Value::raw() const {
  return document_->text_.substr(node().begin, node().end - node().begin);
}

Value::MemberRange Value::member_range() const {
  const std::uint32_t first = is_object() ? index_ + 1 : next();
  return {{document_, first}, {document_, next()}};
}

Value::ElementRange Value::element_range() const {
  const std::uint32_t first = is_array() ? index_ + 1 : next();
  return {{document_, first}, {document_, next()}};
}

std::vector<Value::Member> Value::members() const {
  std::vector<Member> all;
  if (is_object()) all.reserve(size());
  for (const Member& member : member_range()) all.push_back(member);
  return all;
}

std::vector<Value> Value::elements() const {
  std::vector<Value> all;
  if (is_array()) all.reserve(size());
  for (const Value element : element_range()) all.push_back(element);
  return all;
}

bool Value::equals(std::string_view text) const {
  if (!is_string()) return false;
  const std::string_view quoted = raw();
  if (!node().escaped) return quoted.substr(1, quoted.size() - 2) == text;
  // An escape never unescapes to more bytes than it has, so a shorter raw text cannot match.
  return quoted.size() - 2 >= text.size() && string() == text;
}

// Objects of a request are small: every pair is compared, and no memory is needed. Nothing if that cannot be done here.
std::optional<Result<void>> Value::compare_keys_pairwise() const {
  constexpr std::size_t kKeysMax = 16;
  std::array<std::string_view, kKeysMax> keys;
  std::size_t count = 0;
  for (const Member& member : member_range()) {
    if (count == kKeysMax || member.key.has_escapes()) return std::nullopt;
    const std::string_view key = member.key.raw();
    const auto end = keys.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find(keys.begin(), end, key) != end) return twice_error(key.substr(1, key.size() - 2));
    keys[count++] = key;
  }
  return Result<void>{};
}

Result<void> Value::require_unique_keys() const {
  if (!is_object()) return {};
  if (auto done = compare_keys_pairwise()) return *std::move(done);
  std::vector<std::string_view> keys;
  keys.reserve(size());
  std::forward_list<std::string> unescaped;  // owns what had escapes; its elements do not move
  for (const Member& member : member_range()) {
    if (member.key.has_escapes()) {
      keys.emplace_back(unescaped.emplace_front(member.key.string()));
    } else {
      std::string unused;
      keys.push_back(member.key.string_view(unused));
    }
  }
  std::ranges::sort(keys);
  const auto twice = std::ranges::adjacent_find(keys);
  if (twice == keys.end()) return {};
  return twice_error(*twice);
}

std::uint64_t Value::key_lengths() const {
  std::uint64_t lengths = 0;
  for (const Member& member : member_range()) {
    const Node& key = member.key.node();
    if (key.escaped) return ~std::uint64_t{0};
    lengths |= std::uint64_t{1} << ((key.end - key.begin - 2) % 64);
  }
  return lengths;
}

Result<std::optional<Value>> Value::find(std::string_view key) const {
  std::optional<Value> found;
  const std::size_t quoted_bytes = key.size() + 2;
  for (const Member& member : member_range()) {
    // Nearly every key that is not the wanted one has another length.
    const Node& node = member.key.node();
    if (!node.escaped && node.end - node.begin != quoted_bytes) continue;
    if (!member.key.equals(key)) continue;
    if (found) return twice_error(key);
    found = member.value;
  }
  return found;
}

std::string_view Value::string_view(std::string& storage) const {
  if (!is_string()) return {};
  const std::string_view quoted = raw();
  const std::string_view inside = quoted.substr(1, quoted.size() - 2);
  if (!node().escaped) return inside;
  storage.clear();
  append_unescaped(storage, inside);
  return storage;
}

std::string Value::string() const {
  std::string storage;
  const std::string_view text = string_view(storage);
  return has_escapes() ? storage : std::string(text);
}

std::optional<bool> Value::boolean() const {
  if (type() == Type::kTrue) return true;
  if (type() == Type::kFalse) return false;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (type() != Type::kNumber) return std::nullopt;
  const std::string_view text = raw();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::int64_t> Value::integer() const {
  if (type() != Type::kNumber) return std::nullopt;
  const std::string_view text = raw();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  if (end == text.data() + text.size()) return value;
  // Written with a fraction or an exponent. Above 2^53 a double no longer says which integer was meant.
  constexpr double kExactMax = 9007199254740992.0;
  const std::optional<double> real = number();
  if (!real || std::trunc(*real) != *real || std::abs(*real) > kExactMax) return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

}  // namespace signalbox::json
