#include "tokenize/piece_table.h"

#include <bit>

#include "base/assert.h"
#include "base/hash.h"

namespace signalbox::tokenize {

PieceTable::PieceTable(std::size_t count) : slots_(std::bit_ceil(count + count / 2 + 1)) {}

// The slot of the piece, or the free one where it would go.
std::size_t PieceTable::place(std::string_view piece, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].id >= 0; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.hash == static_cast<std::uint32_t>(hash >> 32) && slot.bytes == piece.size() &&
        std::string_view(text_.data() + slot.begin, slot.bytes) == piece)
      break;
  }
  return at;
}

bool PieceTable::insert(std::string_view piece, std::int32_t id) {
  SBX_ASSERT(id >= 0 && count_ + 1 < slots_.size());
  const std::uint64_t hash = hash64(piece);
  Slot& slot = slots_[place(piece, hash)];
  if (slot.id >= 0) return false;
  slot = {static_cast<std::uint32_t>(hash >> 32), id, static_cast<std::uint32_t>(text_.size()),
          static_cast<std::uint32_t>(piece.size())};
  text_ += piece;
  ++count_;
  return true;
}

std::int32_t PieceTable::find(std::string_view piece) const {
  if (slots_.empty()) return -1;
  return slots_[place(piece, hash64(piece))].id;
}

}  // namespace signalbox::tokenize
