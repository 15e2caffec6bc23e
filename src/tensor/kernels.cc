#include "tensor/kernels.h"

#include <array>

#include "tensor/cpu_x86.h"
#include "tensor/kernels_neon.h"
#include "tensor/kernels_x86.h"

namespace signalbox::tensor {
namespace {

struct Runnable {
  std::array<const Kernels*, 3> tables{};
  std::size_t count = 0;
};

Runnable probe() {
  Runnable found;
  found.tables[found.count++] = &scalar_kernels();
#if defined(__aarch64__)
  found.tables[found.count++] = &neon_kernels();
#endif
#if defined(__x86_64__)
  if (has_avx2()) found.tables[found.count++] = &avx2_kernels();
  if (has_avx512()) found.tables[found.count++] = &avx512_kernels();
#endif
  return found;
}

const Runnable& runnable() {
  static const Runnable found = probe();
  return found;
}

}  // namespace

std::span<const Kernels* const> runnable_kernels() {
  return {runnable().tables.data(), runnable().count};
}

const Kernels& best_kernels() { return *runnable_kernels().back(); }

}  // namespace signalbox::tensor
