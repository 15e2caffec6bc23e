#include "encoder/entity_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/limits.h"
#include "pii/identifiers.h"
#include "tokenize/unicode.h"

namespace signalbox::encoder {
namespace {

// Types that rules know better: the head learnt them only to tell them from the others.
bool left_to_rules(pii::Type type) {
  switch (type) {
    case pii::Type::kCreditCard:
    case pii::Type::kDomainName:
    case pii::Type::kEmailAddress:
    case pii::Type::kIbanCode:
    case pii::Type::kIpAddress:
    case pii::Type::kPhoneNumber:
    case pii::Type::kUsSsn:
      return true;
    default:
      return false;
  }
}

// Punctuation that belongs to the sentence, not to a name; a dot may end an abbreviation.
bool trailing_mark(std::string_view word) {
  return word == "," || word == ";" || word == ":" || word == "\"" || word == "'" || word == "(" ||
         word == ">" || word == "<" || word == "|";
}

// Words whose dot is theirs: "Acme Inc.", "12 Main St.".
bool is_abbreviation(std::string_view word) {
  constexpr std::array<std::string_view, 22> kKnown{
      "ave", "blvd", "bros", "co", "corp", "dr", "inc", "jr", "k",   "ln", "ltd",
      "o",   "pl",   "prof", "rd", "s",    "sc", "sr",  "st", "str", "c",  "v"};
  std::string lowered;
  for (const char c : word) lowered += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return std::ranges::find(kKnown, lowered) != kKnown.end();
}

}  // namespace

EntityReader::EntityReader(std::string_view text, std::span<const tokenize::WordSpan> spans,
                           const TokenHead& head, std::size_t hidden)
    : text_(text),
      head_(head),
      hidden_(hidden),
      words_(group_words(spans)),
      shapes_(words_.size() * kShapeFeatures),
      probabilities_(words_.size() * head.labels(), 0.0f),
      margins_(words_.size(), -1) {
  shape_features(text, words_, shapes_.data());
}

std::vector<float> EntityReader::inputs(std::size_t first, std::size_t last, const Window& window,
                                        const BertScratch& scratch) const {
  const std::size_t tokens = window.count + 2, states = head_.states().size();
  std::vector<float> out((last - first) * head_.inputs(), 0.0f);
  for (std::size_t w = first; w < last; ++w) {
    float* row = out.data() + (w - first) * head_.inputs();
    const Word& word = words_[w];
    const float part = 1.0f / static_cast<float>(word.piece_count);
    for (std::size_t s = 0; s < states; ++s) {
      float* state = row + s * hidden_;
      for (std::size_t p = 0; p < word.piece_count; ++p) {
        const std::size_t token = 1 + word.first_piece + p - window.begin;
        const float* hidden = scratch.kept.data() + (s * tokens + token) * hidden_;
        for (std::size_t k = 0; k < hidden_; ++k) state[k] += hidden[k] * part;
      }
    }
    std::copy_n(shapes_.data() + w * kShapeFeatures, kShapeFeatures, row + states * hidden_);
  }
  return out;
}

void EntityReader::add(const Window& window, const BertScratch& scratch) {
  const std::size_t end = window.begin + window.count;
  const auto first = std::ranges::lower_bound(words_, window.begin, {}, &Word::first_piece);
  auto last = std::ranges::lower_bound(words_, end, {}, &Word::first_piece);
  // Only words that the window shows whole.
  while (last != first && (last - 1)->first_piece + (last - 1)->piece_count > end) --last;
  const auto from = static_cast<std::size_t>(first - words_.begin());
  const auto to = static_cast<std::size_t>(last - words_.begin());
  if (from == to) return;
  const auto found = head_.classify(inputs(from, to, window, scratch).data(), to - from);
  const std::size_t pieces = words_.back().first_piece + words_.back().piece_count;
  for (std::size_t w = from; w < to; ++w) {
    // The edges of the text hide nothing.
    const std::size_t before = window.begin == 0 ? pieces : words_[w].first_piece - window.begin;
    const std::size_t after =
        end == pieces ? pieces : end - words_[w].first_piece - words_[w].piece_count;
    const auto margin = static_cast<int>(std::min(before, after));
    if (margin <= margins_[w]) continue;
    margins_[w] = margin;
    std::copy_n(found.data() + (w - from) * head_.labels(), head_.labels(),
                probabilities_.data() + w * head_.labels());
  }
}

pii::Entity EntityReader::entity_of(const TaggedRun& run, pii::Type type) const {
  std::size_t first = run.begin, last = run.end;
  const auto word = [&](std::size_t i) {
    return text_.substr(words_[i].begin, words_[i].end - words_[i].begin);
  };
  while (last > first + 1 && trailing_mark(word(last - 1))) --last;
  while (first + 1 < last && trailing_mark(word(first))) ++first;
  // "Ann's": the genitive is not part of a name, though of "Macy's".
  const bool genitive = last > first + 2 && word(last - 1) == "s" &&
                        (word(last - 2) == "'" || word(last - 2) == "\xE2\x80\x99");
  if (genitive && type != pii::Type::kOrganization) last -= 2;
  // A full stop after a whole word is the sentence's; after an abbreviation it is the name's.
  if (last > first + 1 && word(last - 1) == "." && !is_abbreviation(word(last - 2))) --last;
  const bool glued_dot =
      last < words_.size() && word(last) == "." && words_[last].begin == words_[last - 1].end;
  if (glued_dot && last > first + 1 && is_abbreviation(word(last - 1))) ++last;
  return {words_[first].begin, words_[last - 1].end, type, run.confidence, pii::Source::kModel};
}

std::vector<pii::Entity> EntityReader::entities() const {
  std::vector<float> seen = probabilities_;
  std::vector<bool> breaks(words_.size(), false);
  for (std::size_t w = 0; w < words_.size(); ++w) {
    if (margins_[w] < 0) seen[w * head_.labels()] = 1;  // unseen: nothing
    const std::size_t gap = w == 0 ? 0 : words_[w - 1].end;
    breaks[w] = text_.substr(gap, words_[w].begin - gap).find('\n') != std::string_view::npos;
  }
  std::vector<pii::Entity> out;
  for (const TaggedRun& run : head_.read(seen, breaks)) {
    const auto type = pii::parse_type(head_.types()[run.type]);
    if (!type || left_to_rules(*type) || run.confidence < head_.threshold(run.type)) continue;
    out.push_back(entity_of(run, *type));
  }
  return out;
}

std::vector<pii::Entity> identifiers_of(std::string_view text) {
  return pii::find_identifiers(text.substr(
      0, tokenize::utf8_prefix(text, std::min(text.size(), limits::kIdentifierBytesMax))));
}

}  // namespace signalbox::encoder
