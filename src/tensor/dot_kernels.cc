#include "tensor/dot_kernels.h"

#include <array>

#include "tensor/dot_x86.h"

namespace signalbox::tensor {
namespace {

struct Runnable {
  std::array<const DotKernels*, 3> tables{};
  std::size_t count = 0;
};

Runnable probe() {
  Runnable found;
  found.tables[found.count++] = &scalar_dot_kernels();
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16")) {
    found.tables[found.count++] = &avx512_dot_kernels();
  }
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

const DotKernels& best_dot_kernels() { return *runnable_dot_kernels().back(); }

}  // namespace signalbox::tensor
