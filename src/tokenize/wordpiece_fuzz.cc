// Any bytes through a small vocabulary that has pieces for most paths; the first byte picks the
// options.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tokenize/wordpiece.h"

using signalbox::tokenize::Vocabulary;
using signalbox::tokenize::WordPiece;

namespace {

WordPiece make(bool lower_case) {
  auto vocabulary = Vocabulary::from_lines(
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##a\nb\n##b\nab\n##ab\ne\n##e\n?\n.\n#\n##\n[\n]"
      "\n中\n\xC3\xA9\n##\xC3\xA9\n");
  if (!vocabulary) std::abort();
  auto made = WordPiece::create(std::move(*vocabulary), {.lower_case = lower_case});
  if (!made) std::abort();
  return std::move(*made);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const WordPiece uncased = make(true), cased = make(false);
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const WordPiece& tokenizer = (data[0] & 1) != 0 ? cased : uncased;
  std::vector<std::int32_t> ids;
  tokenizer.tokenize(text, ids);
  if (ids.size() > text.size()) std::abort();
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= tokenizer.size()) std::abort();
  }
  return 0;
}
