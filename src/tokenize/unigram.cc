// The unigram language model of SentencePiece (Kudo 2018): of all ways to cut a part into pieces the most
// probable one.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "base/limits.h"
#include "tokenize/fields.h"
#include "tokenize/subword.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

// How much worse than the worst piece an unknown character is.
constexpr double kUnknownPenalty = 10.0;

class Unigram final : public SubwordModel {
 public:
  Result<void> read(json::Value model);
  void cut(std::string_view part, SubwordScratch& scratch,
           std::vector<Subword>& out) const override;
  std::int32_t size() const override { return size_; }

 private:
  struct Piece {
    std::string text;
    double score = 0;  // log probability
    std::int32_t id = 0;
  };
  struct Best {  // cut that ends at a byte
    double score = -std::numeric_limits<double>::infinity();
    std::uint32_t begin = 0;  // of its last piece
    std::int32_t id = -1;     // -1: nothing ends here
  };
  Result<void> read_pieces(json::Value vocabulary);
  void extend(std::string_view part, std::size_t begin, std::vector<Best>& best) const;
  void spell_unknown(std::string_view part, const Subword& piece, std::vector<Subword>& out) const;

  std::vector<Piece> pieces_;              // sorted by text
  std::array<std::int32_t, 256> bytes_{};  // ids of "<0x..>" pieces, or -1
  bool byte_fallback_ = false;
  std::int32_t unknown_ = 0;
  double unknown_score_ = 0;
  std::int32_t size_ = 0;
};

Result<void> Unigram::read(json::Value model) {
  SBX_TRY(const auto vocabulary, need_field(model, "vocab"));
  if (!vocabulary.is_array() || vocabulary.size() == 0 ||
      vocabulary.size() > limits::kVocabularyPiecesMax)
    return fail(Code::kCorrupt, "the vocabulary is not an array, or of a bad size", "vocab");
  SBX_TRY(unknown_, id_field(model, "unk_id"));
  SBX_TRY(byte_fallback_, bool_field(model, "byte_fallback", false));
  SBX_CHECK_OK(read_pieces(vocabulary));
  if (unknown_ >= size_) return fail(Code::kCorrupt, "unk_id is not in the vocabulary");
  std::ranges::sort(pieces_, [](const Piece& a, const Piece& b) {
    return a.text != b.text ? a.text < b.text : a.id > b.id;
  });
  // Of equal pieces the last one counts.
  const auto repeated = std::ranges::unique(pieces_, {}, &Piece::text);
  pieces_.erase(repeated.begin(), repeated.end());
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = fmt::format("<0x{:02X}>", byte);
    const auto found = std::ranges::lower_bound(pieces_, text, {}, &Piece::text);
    bytes_[static_cast<std::size_t>(byte)] =
        found != pieces_.end() && found->text == text ? found->id : -1;
  }
  return {};
}

Result<void> Unigram::read_pieces(json::Value vocabulary) {
  double worst = std::numeric_limits<double>::infinity();
  for (const json::Value entry : vocabulary.element_range()) {
    const auto pair =
        entry.is_array() && entry.size() == 2 ? entry.elements() : std::vector<json::Value>();
    const auto score = pair.empty() ? std::nullopt : pair[1].number();
    if (!score || !pair[0].is_string())
      return fail(Code::kCorrupt, "a piece of the vocabulary is not a text and a number", "vocab");
    Piece piece{pair[0].string(), *score, size_++};
    if (piece.text.size() > limits::kVocabularyPieceBytesMax)
      return fail(Code::kCorrupt, "a piece of the vocabulary is too long");
    worst = std::min(worst, *score);
    if (!piece.text.empty()) pieces_.push_back(std::move(piece));
  }
  unknown_score_ = worst - kUnknownPenalty;
  return {};
}

// Tries every piece that begins at `begin`: the range of pieces with the bytes so far narrows byte by
// byte.
void Unigram::extend(std::string_view part, std::size_t begin, std::vector<Best>& best) const {
  const double so_far = best[begin].score;
  const std::size_t character = decode_utf8(part.substr(begin)).bytes;
  bool single = false;  // is the character itself a piece?
  auto low = pieces_.begin(), high = pieces_.end();
  for (std::size_t depth = 0; begin + depth < part.size(); ++depth) {
    const auto byte = static_cast<unsigned char>(part[begin + depth]);
    const auto at_depth = [depth](const Piece& piece) {
      return piece.text.size() > depth
                 ? static_cast<int>(static_cast<unsigned char>(piece.text[depth]))
                 : -1;
    };
    low = std::lower_bound(low, high, static_cast<int>(byte),
                           [&](const Piece& piece, int b) { return at_depth(piece) < b; });
    high = std::upper_bound(low, high, static_cast<int>(byte),
                            [&](int b, const Piece& piece) { return b < at_depth(piece); });
    if (low == high) break;
    if (low->text.size() != depth + 1) continue;
    single = single || depth + 1 == character;
    Best& target = best[begin + depth + 1];
    const double score = so_far + low->score;
    if (target.id < 0 || score > target.score)
      target = {score, static_cast<std::uint32_t>(begin), low->id};
  }
  if (single) return;
  Best& target = best[begin + character];
  const double score = so_far + unknown_score_;
  if (target.id < 0 || score > target.score)
    target = {score, static_cast<std::uint32_t>(begin), unknown_};
}

void Unigram::spell_unknown(std::string_view part, const Subword& piece,
                            std::vector<Subword>& out) const {
  const auto known = [&](char byte) { return bytes_[static_cast<unsigned char>(byte)] >= 0; };
  if (!byte_fallback_ ||
      !std::ranges::all_of(part.substr(piece.begin, piece.end - piece.begin), known)) {
    out.push_back(piece);
    return;
  }
  for (std::uint32_t at = piece.begin; at < piece.end; ++at)
    out.push_back({bytes_[static_cast<unsigned char>(part[at])], at, at + 1});
}

void Unigram::cut(std::string_view part, SubwordScratch& scratch, std::vector<Subword>& out) const {
  static_cast<void>(scratch);
  std::vector<Best> best(part.size() + 1);
  best[0] = {0, 0, unknown_};
  for (std::size_t at = 0; at < part.size(); at += decode_utf8(part.substr(at)).bytes)
    if (best[at].id >= 0) extend(part, at, best);
  std::vector<Subword> backwards;
  for (std::size_t end = part.size(); end > 0;) {
    const Best& last = best[end];
    const bool fuse = last.id == unknown_ && !backwards.empty() && backwards.back().id == unknown_;
    if (fuse) {
      backwards.back().begin = last.begin;
    } else {
      backwards.push_back({last.id, last.begin, static_cast<std::uint32_t>(end)});
    }
    end = last.begin;
  }
  for (auto piece = backwards.rbegin(); piece != backwards.rend(); ++piece) {
    if (piece->id == unknown_) {
      spell_unknown(part, *piece, out);
    } else {
      out.push_back(*piece);
    }
  }
}

}  // namespace

Result<std::unique_ptr<const SubwordModel>> read_unigram(json::Value model) {
  auto unigram = std::make_unique<Unigram>();
  SBX_CHECK_OK(unigram->read(model));
  return unigram;
}

}  // namespace signalbox::tokenize
