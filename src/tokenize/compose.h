// Unicode normalisation forms (UAX 15) of a traced text.
#pragma once

#include "tokenize/traced_text.h"

namespace signalbox::tokenize {

enum class Form : std::uint8_t { kNfc, kNfd, kNfkc, kNfkd };

// Origins are those of the whole run of code points that were composed or reordered together, where that changed it.
// O(bytes log bytes), also for long runs of combining marks.
TracedText normalize(const TracedText& text, Form form);

}  // namespace signalbox::tokenize
