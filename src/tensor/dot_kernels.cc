#include "tensor/dot_kernels.h"

#include <array>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "tensor/cpu_x86.h"
#include "tensor/dot_x86.h"
#include "tensor/kernels.h"
#include "tensor/kernels_neon.h"

namespace signalbox::tensor {
namespace {

struct Runnable {
  std::array<const DotKernels*, 3> tables{};
  std::size_t count = 0;
};

Runnable probe() {
  Runnable found;
  found.tables[found.count++] = &scalar_dot_kernels();
#if defined(__aarch64__)
  if ((::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0)
    found.tables[found.count++] = &neon_dot_kernels();
#endif
#if defined(__x86_64__)
  if (has_avx2()) found.tables[found.count++] = &avx2_dot_kernels();
  if (has_avx512_dot()) found.tables[found.count++] = &avx512_dot_kernels();
#endif
  return found;
}

const Runnable& runnable() {
  static const Runnable found = probe();
  return found;
}

}  // namespace

std::span<const DotKernels* const> runnable_dot_kernels() {
  return {runnable().tables.data(), runnable().count};
}

std::size_t attention_scratch(std::size_t tokens, std::size_t width) {
  constexpr std::size_t kLine = kDotPanel / 4;  // floats of a cache line
  const std::size_t pairs = (width + 1) / 2;
  const std::size_t keys = round_up(tokens * pairs, kLine);
  const std::size_t values = round_up((tokens + 1) / 2 * width, kLine);
  const std::size_t rows = round_up(pairs, kLine) + kAttentionKeys + round_up(width, kLine);
  return keys + values + rows * kAttentionQueries;
}

const DotKernels& best_dot_kernels() { return *runnable_dot_kernels().back(); }

}  // namespace signalbox::tensor
