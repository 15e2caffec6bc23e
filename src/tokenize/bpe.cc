// Byte-pair encoding (Sennrich et al. 2016): over characters with bytes as the last resort
// (SentencePiece's kind), or over bytes (GPT-2's kind).
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "tokenize/fields.h"
#include "tokenize/merge_table.h"
#include "tokenize/piece_table.h"
#include "tokenize/subword.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

// GPT-2 writes a byte as a printable character: printable Latin-1 as itself, the others from U+0100 on.
class ByteAlphabet {
 public:
  ByteAlphabet() {
    std::uint32_t next = 0x100;
    byte_of_.fill(-1);
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      byte_of_[printable ? byte : next++] = static_cast<std::int16_t>(byte);
    }
  }
  // The bytes of a piece; nothing when a character stands for none.
  std::optional<std::string> bytes(std::string_view piece) const {
    std::string out;
    while (!piece.empty()) {
      const Decoded decoded = decode_utf8(piece);
      if (decoded.point >= byte_of_.size() || byte_of_[decoded.point] < 0) return std::nullopt;
      out.push_back(static_cast<char>(byte_of_[decoded.point]));
      piece.remove_prefix(decoded.bytes);
    }
    return out;
  }

 private:
  std::array<std::int16_t, 0x180> byte_of_;
};

struct LaterCandidate {
  bool operator()(const SubwordScratch::Candidate& a, const SubwordScratch::Candidate& b) const {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  }
};

class Bpe final : public SubwordModel {
 public:
  Result<void> read(json::Value model, bool byte_level);
  void cut(std::string_view part, SubwordScratch& scratch,
           std::vector<Subword>& out) const override;
  std::int32_t size() const override { return size_; }

 private:
  Result<void> read_options(json::Value model);
  Result<void> read_vocabulary(json::Value model);
  Result<void> read_merges(json::Value model);
  std::int32_t find_written(std::string_view piece) const;
  void spell(std::string_view part, std::vector<SubwordScratch::Symbol>& symbols) const;
  void spell_unknown(std::string_view part, std::size_t begin, std::size_t end,
                     std::vector<SubwordScratch::Symbol>& symbols) const;
  void offer(const std::vector<SubwordScratch::Symbol>& symbols, std::int32_t left,
             std::vector<SubwordScratch::Candidate>& heap) const;
  void merge(SubwordScratch& scratch) const;

  bool byte_level_ = false;
  bool byte_fallback_ = false, fuse_unknown_ = false, whole_first_ = false;
  std::int32_t unknown_ = -1;  // -1: what is unknown vanishes
  std::int32_t size_ = 0;
  std::array<std::int32_t, 256> bytes_{};  // ids of single bytes, or -1
  ByteAlphabet alphabet_;
  PieceTable pieces_;  // by the bytes they stand for
  MergeTable merges_;
};

Result<void> Bpe::read(json::Value model, bool byte_level) {
  byte_level_ = byte_level;
  SBX_CHECK_OK(read_options(model));
  SBX_CHECK_OK(read_vocabulary(model));
  for (int byte = 0; byte < 256; ++byte) {
    const std::string piece =
        byte_level_ ? std::string(1, static_cast<char>(byte)) : fmt::format("<0x{:02X}>", byte);
    bytes_[static_cast<std::size_t>(byte)] = pieces_.find(piece);
  }
  SBX_TRY(const std::string unknown, string_field(model, "unk_token", ""));
  if (!unknown.empty()) {
    unknown_ = find_written(unknown);
    if (unknown_ < 0) return fail(Code::kCorrupt, "unk_token is not in the vocabulary");
  }
  return read_merges(model);
}

Result<void> Bpe::read_options(json::Value model) {
  SBX_TRY(const auto prefix, string_field(model, "continuing_subword_prefix", ""));
  SBX_TRY(const auto suffix, string_field(model, "end_of_word_suffix", ""));
  if (!prefix.empty() || !suffix.empty())
    return fail(Code::kUnsupported, "BPE with prefixes or suffixes of words is not supported");
  SBX_TRY(const auto dropout, field(model, "dropout"));
  if (dropout && dropout->number() != 0.0)
    return fail(Code::kUnsupported, "BPE with dropout is not supported");
  SBX_TRY(byte_fallback_, bool_field(model, "byte_fallback", false));
  SBX_TRY(fuse_unknown_, bool_field(model, "fuse_unk", false));
  SBX_TRY(whole_first_, bool_field(model, "ignore_merges", false));
  return {};
}

Result<void> Bpe::read_vocabulary(json::Value model) {
  SBX_TRY(const auto vocabulary, need_field(model, "vocab"));
  if (!vocabulary.is_object() || vocabulary.size() > limits::kVocabularyPiecesMax)
    return fail(Code::kCorrupt, "the vocabulary is not an object, or too large", "vocab");
  pieces_ = PieceTable(vocabulary.size());
  std::string storage;
  for (const auto& entry : vocabulary.member_range()) {
    SBX_TRY(const std::int32_t id, to_id(entry.value));
    size_ = std::max(size_, id + 1);
    const std::string_view piece = entry.key.string_view(storage);
    if (piece.size() > limits::kVocabularyPieceBytesMax)
      return fail(Code::kCorrupt, "a piece of the vocabulary is too long");
    if (!byte_level_) {
      pieces_.insert(piece, id);
    } else if (const auto bytes = alphabet_.bytes(piece)) {
      pieces_.insert(*bytes, id);
    }
  }
  return {};
}

// Id of a piece as the file writes it.
std::int32_t Bpe::find_written(std::string_view piece) const {
  if (!byte_level_) return pieces_.find(piece);
  const auto bytes = alphabet_.bytes(piece);
  return bytes ? pieces_.find(*bytes) : -1;
}

// ["a b", ..] in older files, [["a", "b"], ..] in newer ones.
Result<void> Bpe::read_merges(json::Value model) {
  SBX_TRY(const auto merges, need_field(model, "merges"));
  if (!merges.is_array() || merges.size() > limits::kMergesMax)
    return fail(Code::kCorrupt, "the merges are not an array, or too many", "merges");
  merges_ = MergeTable(merges.size());
  std::uint32_t rank = 0;
  std::string left, right;
  for (const json::Value entry : merges.element_range()) {
    left.clear();
    if (entry.is_string()) {
      const std::string both = entry.string();
      const std::size_t space = both.find(' ');
      if (space != std::string::npos) {
        left = both.substr(0, space);
        right = both.substr(space + 1);
      }
    } else if (entry.size() == 2) {
      const auto pair = entry.elements();
      if (pair.size() == 2) {
        left = pair[0].string();
        right = pair[1].string();
      }
    }
    const std::int32_t left_id = find_written(left), right_id = find_written(right);
    const std::int32_t id = find_written(left + right);
    if (left.empty() || left_id < 0 || right_id < 0 || id < 0) {
      return fail(Code::kCorrupt, fmt::format("merge {} is not of two pieces into a third", rank),
                  "merges");
    }
    merges_.insert(left_id, right_id, {rank++, id});
  }
  return {};
}

// A character that is no piece: its bytes, or the unknown token, or nothing.
void Bpe::spell_unknown(std::string_view part, std::size_t begin, std::size_t end,
                        std::vector<SubwordScratch::Symbol>& symbols) const {
  const auto first = static_cast<std::uint32_t>(begin), last = static_cast<std::uint32_t>(end);
  const auto known = [&](char byte) { return bytes_[static_cast<unsigned char>(byte)] >= 0; };
  if (byte_fallback_ && std::ranges::all_of(part.substr(begin, end - begin), known)) {
    for (std::uint32_t at = first; at < last; ++at)
      symbols.push_back({bytes_[static_cast<unsigned char>(part[at])], -1, -1, at, at + 1});
    return;
  }
  if (unknown_ < 0) return;
  if (fuse_unknown_ && !symbols.empty() && symbols.back().id == unknown_ &&
      symbols.back().end == first) {
    symbols.back().end = last;
  } else {
    symbols.push_back({unknown_, -1, -1, first, last});
  }
}

void Bpe::spell(std::string_view part, std::vector<SubwordScratch::Symbol>& symbols) const {
  for (std::size_t at = 0; at < part.size();) {
    const std::size_t length = byte_level_ ? 1 : decode_utf8(part.substr(at)).bytes;
    const std::int32_t id = byte_level_ ? bytes_[static_cast<unsigned char>(part[at])]
                                        : pieces_.find(part.substr(at, length));
    if (id < 0) {
      spell_unknown(part, at, at + length, symbols);
    } else {
      symbols.push_back(
          {id, -1, -1, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + length)});
    }
    at += length;
  }
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].previous = static_cast<std::int32_t>(i) - 1;
    symbols[i].next = i + 1 < symbols.size() ? static_cast<std::int32_t>(i) + 1 : -1;
  }
}

// Puts the merge of `left` and its neighbour, if there is one, on the heap.
void Bpe::offer(const std::vector<SubwordScratch::Symbol>& symbols, std::int32_t left,
                std::vector<SubwordScratch::Candidate>& heap) const {
  const auto& symbol = symbols[static_cast<std::size_t>(left)];
  if (symbol.next < 0) return;
  const Merge merge = merges_.find(symbol.id, symbols[static_cast<std::size_t>(symbol.next)].id);
  if (merge.id < 0) return;
  heap.push_back({merge.rank, static_cast<std::uint32_t>(left), merge.id});
  std::push_heap(heap.begin(), heap.end(), LaterCandidate());
}

// Lowest rank first, then leftmost, until nothing merges. O(n log n) for any text.
void Bpe::merge(SubwordScratch& scratch) const {
  auto& [symbols, heap] = scratch;
  heap.clear();
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
    offer(symbols, static_cast<std::int32_t>(i), heap);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), LaterCandidate());
    const SubwordScratch::Candidate best = heap.back();
    heap.pop_back();
    auto& left = symbols[best.at];
    if (left.begin == left.end || left.next < 0) continue;
    auto& right = symbols[static_cast<std::size_t>(left.next)];
    // Stale: one of the two has merged with another since.
    if (merges_.find(left.id, right.id).id != best.id) continue;
    left.id = best.id;
    left.end = right.end;
    left.next = right.next;
    right.begin = right.end;
    if (left.next >= 0)
      symbols[static_cast<std::size_t>(left.next)].previous = static_cast<std::int32_t>(best.at);
    if (left.previous >= 0) offer(symbols, left.previous, heap);
    offer(symbols, static_cast<std::int32_t>(best.at), heap);
  }
}

void Bpe::cut(std::string_view part, SubwordScratch& scratch, std::vector<Subword>& out) const {
  if (whole_first_) {
    if (const std::int32_t id = pieces_.find(part); id >= 0) {
      out.push_back({id, 0, static_cast<std::uint32_t>(part.size())});
      return;
    }
  }
  scratch.symbols.clear();
  spell(part, scratch.symbols);
  if (scratch.symbols.size() > 1) merge(scratch);
  for (const auto& symbol : scratch.symbols) {
    if (symbol.begin != symbol.end) out.push_back({symbol.id, symbol.begin, symbol.end});
  }
}

}  // namespace

Result<std::unique_ptr<const SubwordModel>> read_bpe(json::Value model, bool byte_level) {
  auto bpe = std::make_unique<Bpe>();
  SBX_CHECK_OK(bpe->read(model, byte_level));
  return bpe;
}

}  // namespace signalbox::tokenize
