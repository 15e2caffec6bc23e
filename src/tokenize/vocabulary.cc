#include "tokenize/vocabulary.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"

namespace signalbox::tokenize {
namespace {

std::uint64_t hash_of(std::string_view bytes, bool continues) {
  PieceHash hash(continues);
  for (const char byte : bytes) hash.add(byte);
  return hash.value();
}

// "##ing" is "ing" inside a word; "##" alone is a piece of its own.
bool strip_marker(std::string_view& piece) {
  if (!piece.starts_with("##") || piece.size() == 2) return false;
  piece.remove_prefix(2);
  return true;
}

// As the reference reads a line: without white space at its end.
std::string_view trim_end(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line;
}

}  // namespace

Result<Vocabulary> Vocabulary::from_lines(std::string_view lines) {
  std::vector<std::string> pieces;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    pieces.emplace_back(trim_end(lines.substr(0, end)));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return from_pieces(std::move(pieces));
}

Result<Vocabulary> Vocabulary::from_pieces(std::vector<std::string> pieces) {
  if (pieces.empty()) return fail(Code::kCorrupt, "the vocabulary is empty");
  if (pieces.size() > limits::kVocabularyPiecesMax)
    return fail(Code::kCorrupt, "the vocabulary has too many pieces");
  Vocabulary vocabulary;
  vocabulary.size_ = static_cast<int>(pieces.size());
  vocabulary.slots_.resize(std::bit_ceil(pieces.size() * 2 + 2));
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].size() > limits::kVocabularyPieceBytesMax) {
      return fail(Code::kCorrupt, "a piece of the vocabulary is too long");
    }
    vocabulary.insert(pieces[id], static_cast<int>(id));
  }
  return vocabulary;
}

void Vocabulary::insert(std::string_view piece, int id) {
  const bool continues = strip_marker(piece);
  const std::uint64_t hash = hash_of(piece, continues);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].id >= 0) {
    Slot& slot = slots_[at];
    const bool same = slot.continues == continues &&
                      std::string_view(text_).substr(slot.begin, slot.bytes) == piece;
    if (same) {
      slot.id = id;
      return;
    }
    at = (at + 1) & mask;
  }
  slots_[at] = {static_cast<std::uint32_t>(hash >> 32), id,
                static_cast<std::uint32_t>(text_.size()), static_cast<std::uint16_t>(piece.size()),
                continues};
  text_ += piece;
  bytes_max_ = std::max(bytes_max_, piece.size());
}

int Vocabulary::find(std::string_view bytes, bool continues, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].id >= 0; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash == static_cast<std::uint32_t>(hash >> 32) && slot.continues == continues &&
        slot.bytes == bytes.size() &&
        bytes == std::string_view(text_.data() + slot.begin, slot.bytes)) {
      return slot.id;
    }
  }
  return -1;
}

std::optional<int> Vocabulary::find(std::string_view piece) const {
  if (slots_.empty()) return std::nullopt;
  const bool continues = strip_marker(piece);
  const int id = find(piece, continues, hash_of(piece, continues));
  if (id < 0) return std::nullopt;
  return id;
}

}  // namespace signalbox::tokenize
