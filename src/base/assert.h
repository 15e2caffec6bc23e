// Invariants of our own. Stays on in release: a broken invariant stops the process instead of corrupting a request.
// Never used for network input, configuration or upstream content; those are handled as errors.
#pragma once

namespace signalbox {
[[noreturn]] void assert_failed(const char* expression, const char* file, int line);
}  // namespace signalbox

#define SBX_ASSERT(expression)         \
  ((expression) ? static_cast<void>(0) \
                : ::signalbox::assert_failed(#expression, __FILE__, __LINE__))
