// Pieces of a vocabulary to any ids: an open-addressing table over one block of text. Built once, read by
// all threads. Texts cannot lengthen its chains: they only look up, what is in it comes from the model
// file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::tokenize {

class PieceTable {
 public:
  PieceTable() = default;
  // Room for `count` pieces.
  explicit PieceTable(std::size_t count);
  // A piece that is there already keeps its id; returns whether it was new. At most `count` of them.
  bool insert(std::string_view piece, std::int32_t id);
  // -1 when there is none.
  std::int32_t find(std::string_view piece) const;
  std::size_t size() const { return count_; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = -1;
    std::uint32_t begin = 0;  // in text_
    std::uint32_t bytes = 0;
  };
  std::size_t place(std::string_view piece, std::uint64_t hash) const;

  std::string text_;
  std::vector<Slot> slots_;  // power of two, at most two thirds full
  std::size_t count_ = 0;
};

}  // namespace signalbox::tokenize
