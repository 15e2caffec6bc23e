#include "balancer/rotation.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace signalbox::balancer {
namespace {

double due(std::uint64_t turns, double weight) {
  return (static_cast<double>(turns) + 0.5) / weight;
}

// Turns a replica that lags behind the clock is credited with: the fewest whose next turn is not in the past. The clock
// cannot pass that turn without granting it, so a newcomer waits one of its own strides at most and never for ever.
std::uint64_t caught_up(std::uint64_t turns, double weight, double now) {
  if (due(turns, weight) >= now) return turns;
  auto credited = static_cast<std::uint64_t>(std::floor(std::max(0.0, now * weight - 0.5)));
  while (due(credited, weight) < now) ++credited;
  return credited;
}

}  // namespace

double next_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica) {
  const double weight = replica.weight();
  const double now = group.rotation->now.load(std::memory_order_relaxed);
  return due(caught_up(replica.turns->taken.load(std::memory_order_relaxed), weight, now), weight);
}

void take_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica) {
  const double weight = replica.weight();
  auto& clock = group.rotation->now;
  auto& taken = replica.turns->taken;
  const double now = clock.load(std::memory_order_relaxed);
  std::uint64_t turns = taken.load(std::memory_order_relaxed);
  std::uint64_t credited = 0;
  do {
    credited = caught_up(turns, weight, now);
  } while (!taken.compare_exchange_weak(turns, credited + 1, std::memory_order_relaxed));
  const double turn = due(credited, weight);
  if (turn > now) clock.store(turn, std::memory_order_relaxed);
}

}  // namespace signalbox::balancer
