// A hostile tokenizer.json: whatever parses must tokenize any text into ids of its vocabulary, with spans
// inside the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tokenize/tokenizer.h"

namespace {

constexpr std::string_view kTexts[] = {"", "the points move", "  a\t\n b's 123 <s>[CLS] ",
                                       "caf\xC3\xA9 e\xCC\x81\xCC\xA7 \xE4\xB8\xAD\xE2\x96\x81\xFF",
                                       "\xF0\x9F\x98\x80\xEA\xB0\x80\xE1\x86\xA8"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = signalbox::tokenize::parse_tokenizer(json);
  if (!tokenizer) {
    const auto code = tokenizer.error().code;
    const bool named = code == signalbox::Code::kCorrupt || code == signalbox::Code::kUnsupported;
    return named ? 0 : (std::abort(), 0);
  }
  for (const std::string_view text : kTexts) {
    std::vector<std::int32_t> ids;
    std::vector<signalbox::tokenize::WordSpan> spans;
    (*tokenizer)->tokenize(text, ids, &spans);
    if (ids.size() != spans.size()) std::abort();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] < 0 || ids[i] >= (*tokenizer)->size()) std::abort();
      if (spans[i].begin > spans[i].end || spans[i].end > text.size()) std::abort();
    }
  }
  return 0;
}
