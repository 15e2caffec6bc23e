#include "tokenize/wordpiece.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/limits.h"
#include "json/document.h"
#include "tokenize/unicode.h"

namespace signalbox::tokenize {
namespace {

// Words of more characters than this are [UNK] in the reference.
constexpr std::size_t kWordCharactersMax = 100;

// Per ASCII byte: what it is, and its lower case.
struct AsciiTable {
  std::array<Class, 128> of{};
  AsciiTable() {
    for (std::uint32_t c = 0; c < 128; ++c) of[c] = class_table().of(c);
  }
};
const AsciiTable& ascii_table() {
  static const AsciiTable table;
  return table;
}

}  // namespace

// One pass over a text. Code points go through the stages clean, decompose, lower and split in that
// order; only combining marks that must be sorted wait in between.
class Scanner {
 public:
  Scanner(const WordPiece& owner, std::vector<std::int32_t>& ids, std::vector<WordSpan>* words)
      : owner_(owner), ids_(ids), words_(words) {}

  // `offset` is where `text` begins in the whole text.
  void run(std::string_view text, std::size_t offset) {
    const AsciiTable& ascii = ascii_table();
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      from_ = offset + at;
      if (byte < 0x80) {
        to_ = offset + ++at;
        clean(byte, ascii.of[byte]);
        continue;
      }
      const Decoded decoded = decode_utf8(text.substr(at));
      at += decoded.bytes;
      to_ = offset + at;
      clean(decoded.point, class_table().of(decoded.point));
    }
    release_marks();
    end_word();
  }

 private:
  struct Mark {
    std::uint32_t point;
    int order;
    std::size_t index;
    std::size_t from, to;  // bytes of the code point it stems from
  };

  void clean(std::uint32_t point, Class kind) {
    if (kind == Class::kDropped) return;
    if (kind == Class::kSpace) {
      release_marks();
      return end_word();
    }
    if (kind == Class::kIdeograph && owner_.options_.split_ideographs) {
      release_marks();
      end_word();
      decomposed(point);
      release_marks();
      return end_word();
    }
    decomposed(point);
  }

  // Decomposition happens only together with the removal of accents; cased models keep the text as
  // it is.
  void decomposed(std::uint32_t point) {
    if (point < 0x80) {
      if (!marks_.empty()) release_marks();
      return split(owner_.options_.lower_case && point >= 'A' && point <= 'Z' ? point + 32 : point);
    }
    if (!owner_.options_.lower_case) return split(point);
    std::array<std::uint32_t, 8> parts;
    const int count = decompose(point, parts);
    for (int i = 0; i < count; ++i) {
      const std::uint32_t part = parts[static_cast<std::size_t>(i)];
      const int order = combining_class(part);
      if (order == 0) release_marks();
      if (class_table().of(part) == Class::kMark) continue;
      if (order == 0) {
        split(lower(part));
      } else {
        marks_.push_back({part, order, marks_.size(), from_, to_});
      }
    }
  }

  void release_marks() {
    if (marks_.empty()) return;
    // Canonical order: by class, and within a class as they came.
    std::sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) {
      return a.order != b.order ? a.order < b.order : a.index < b.index;
    });
    const std::size_t from = from_, to = to_;
    for (const Mark& mark : marks_) {
      from_ = mark.from;
      to_ = mark.to;
      split(lower(mark.point));
    }
    from_ = from;
    to_ = to;
    marks_.clear();
  }

  void split(std::uint32_t point) {
    const Class kind = point < 0x80 ? ascii_table().of[point] : class_table().of(point);
    if (kind == Class::kSpace) return end_word();
    if (kind == Class::kPunctuation) {
      end_word();
      append(point);
      return end_word();
    }
    append(point);
  }

  void append(std::uint32_t point) {
    if (characters_ == 0) word_from_ = from_;
    word_to_ = std::max(to_, characters_ == 0 ? to_ : word_to_);
    if (++characters_ > kWordCharactersMax) return;
    if (point < 0x80) {
      word_.push_back(static_cast<char>(point));
    } else {
      append_utf8(word_, point);
    }
  }

  void end_word() {
    if (characters_ == 0) return;
    if (characters_ > kWordCharactersMax) {
      ids_.push_back(owner_.unknown_);
    } else {
      owner_.cut(word_, ids_);
    }
    if (words_ != nullptr) words_->resize(ids_.size(), {word_from_, word_to_});
    word_.clear();
    characters_ = 0;
  }

  const WordPiece& owner_;
  std::vector<std::int32_t>& ids_;
  std::vector<WordSpan>* words_;             // null: not wanted
  std::size_t from_ = 0, to_ = 0;            // bytes of the code point at hand
  std::size_t word_from_ = 0, word_to_ = 0;  // bytes of the word so far
  std::string word_;                         // at most kWordCharactersMax code points
  std::size_t characters_ = 0;
  std::vector<Mark> marks_;
};

void WordPiece::cut(std::string_view word, std::vector<std::int32_t>& ids) const {
  const std::size_t before = ids.size();
  std::array<std::uint64_t, kWordCharactersMax * 4 + 1> hashes;
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t longest = std::min(word.size() - begin, vocabulary_.bytes_max());
    PieceHash hash(begin > 0);
    for (std::size_t i = 0; i < longest; ++i) {
      hash.add(word[begin + i]);
      hashes[i] = hash.value();
    }
    int id = -1;
    std::size_t bytes = longest;
    for (; bytes > 0; --bytes) {
      // Only whole characters: the next byte must start one.
      if (begin + bytes < word.size() &&
          (static_cast<unsigned char>(word[begin + bytes]) & 0xC0) == 0x80)
        continue;
      id = vocabulary_.find(word.substr(begin, bytes), begin > 0, hashes[bytes - 1]);
      if (id >= 0) break;
    }
    if (id < 0) {
      ids.resize(before);
      ids.push_back(unknown_);
      return;
    }
    ids.push_back(id);
    begin += bytes;
  }
}

void WordPiece::tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                         std::vector<WordSpan>* words) const {
  Scanner scanner(*this, ids, words);
  std::size_t begin = 0;
  for (std::size_t at = text.find('['); at != std::string_view::npos; at = text.find('[', at)) {
    const auto special = std::find_if(
        specials_.begin(), specials_.end(),
        [&](const Special& candidate) { return text.substr(at).starts_with(candidate.text); });
    if (special == specials_.end()) {
      ++at;
      continue;
    }
    scanner.run(text.substr(begin, at - begin), begin);
    ids.push_back(special->id);
    if (words != nullptr) words->push_back({at, at + special->text.size()});
    at += special->text.size();
    begin = at;
  }
  scanner.run(text.substr(begin), begin);
}

Result<WordPiece> WordPiece::create(Vocabulary vocabulary, WordPieceOptions options) {
  WordPiece made;
  made.options_ = options;
  for (const std::string_view name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    if (const auto id = vocabulary.find(name)) made.specials_.push_back({std::string(name), *id});
  }
  const auto unknown = vocabulary.find("[UNK]"), cls = vocabulary.find("[CLS]"),
             sep = vocabulary.find("[SEP]");
  if (!unknown || !cls || !sep)
    return fail(Code::kCorrupt, "the vocabulary lacks [UNK], [CLS] or [SEP]");
  made.unknown_ = *unknown;
  made.cls_ = *cls;
  made.sep_ = *sep;
  made.vocabulary_ = std::move(vocabulary);
  return made;
}

}  // namespace signalbox::tokenize
