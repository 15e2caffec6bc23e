// Any bytes as an engine's metrics page: what comes out is unknown (negative) or a finite figure.
#include <cmath>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "discovery/engine_metrics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view page(reinterpret_cast<const char*>(data), size);
  const auto figures = signalbox::discovery::read_engine_figures(page);
  for (const double figure :
       {figures.running, figures.waiting, figures.kv_usage, figures.cache_tokens})
    SBX_ASSERT(figure == -1 || figure >= 0);
  return 0;
}
