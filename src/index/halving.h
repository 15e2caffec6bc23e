// How many engines hold how much of a prompt, found by few probes. Holders only become fewer along a prompt, so engines that
// end between two probes are as many as the probes' counts differ by, and a stretch whose ends count the same has none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace signalbox::index {

// Calls probe(i), which returns the holders of block i, for i of [0, count) until every engine's end is known: O(ends *
// log count) probes.
template <class Probe>
void probe_by_halves(std::size_t count, Probe probe) {
  struct Gap {
    std::uint32_t low, low_holders, high, high_holders;
  };
  if (count == 0) return;
  const auto last = static_cast<std::uint32_t>(count - 1);
  const std::uint32_t first_holders = probe(0U);
  if (first_holders == 0 || last == 0) return;
  std::array<Gap, 64> gaps;  // halves are pushed in turn, so at most one gap waits per halving
  std::size_t waiting = 0;
  gaps[waiting++] = {0, first_holders, last, probe(last)};
  while (waiting > 0) {
    const Gap gap = gaps[--waiting];
    if (gap.low_holders <= gap.high_holders || gap.high - gap.low < 2) continue;
    const std::uint32_t middle = gap.low + (gap.high - gap.low) / 2;
    const std::uint32_t holders = probe(middle);
    gaps[waiting++] = {gap.low, gap.low_holders, middle, holders};
    gaps[waiting++] = {middle, holders, gap.high, gap.high_holders};
  }
}

}  // namespace signalbox::index
