#include "tokenize/added_tokens.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "tokenize/pattern.h"
#include "tokenize/unicode.h"
#include "tokenize/word.h"

namespace signalbox::tokenize {
namespace {

// Where the last code point before `end` begins.
std::size_t before(std::string_view text, std::size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin > 0 && is_word(decode_utf8(text.substr(before(text, begin))).point)) ||
         (end < text.size() && is_word(decode_utf8(text.substr(end)).point));
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), table_(tokens_.size()) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& text = tokens_[i].text;
    if (text.empty() || !table_.insert(text, static_cast<std::int32_t>(i))) continue;
    longest_ = std::max(longest_, text.size());
    auto& lengths = lengths_[static_cast<unsigned char>(text.front())];
    const auto length = static_cast<std::uint32_t>(text.size());
    if (std::ranges::find(lengths, length) == lengths.end()) lengths.push_back(length);
  }
  for (auto& lengths : lengths_) std::ranges::sort(lengths, std::greater<>());
}

const AddedToken* AddedTokens::longest_at(std::string_view text, std::size_t at) const {
  for (const std::uint32_t length : lengths_[static_cast<unsigned char>(text[at])]) {
    if (length > text.size() - at) continue;
    const std::int32_t found = table_.find(text.substr(at, length));
    if (found >= 0) return &tokens_[static_cast<std::size_t>(found)];
  }
  return nullptr;
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  std::size_t begin = 0;  // of what is not yet in a part
  for (std::size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    const std::size_t spelled = at;
    std::size_t from = at, to = at + token->text.size();
    at = to;
    if (token->single_word && touches_word(text, from, to)) continue;
    while (token->strip_left && from > begin &&
           is_space(decode_utf8(text.substr(before(text, from))).point))
      from = before(text, from);
    while (token->strip_right && to < text.size()) {
      const Decoded decoded = decode_utf8(text.substr(to));
      if (!is_space(decoded.point)) break;
      to += decoded.bytes;
    }
    if (from > begin) parts.push_back({begin, from});
    parts.push_back({from, to, token->id, from != spelled});
    begin = at = std::max(at, to);
  }
  if (begin < text.size()) parts.push_back({begin, text.size()});
  return parts;
}

}  // namespace signalbox::tokenize
