#include "tensor/crew.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace signalbox::tensor {
namespace {

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void Barrier::arrive_and_wait() {
  const std::uint32_t round = round_.load(std::memory_order_relaxed);
  // Read before arriving: afterwards the others may be on their way to the next crew.
  const std::size_t members = members_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    round_.notify_all();
    return;
  }
  for (int i = 0; i < spins_; ++i) {
    if (round_.load(std::memory_order_acquire) != round) return;
    relax();
  }
  round_.wait(round, std::memory_order_acquire);
}

}  // namespace signalbox::tensor
