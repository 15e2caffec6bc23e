#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace signalbox {

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "signalbox: broken invariant: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace signalbox
