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

Turn next_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica) {
  const double weight = replica.weight();
  const double now = group.rotation_of(replica).now.load(std::memory_order_acquire);
  Turn turn;
  turn.seen = replica.turns->taken.load(std::memory_order_acquire);
  turn.credited = caught_up(turn.seen, weight, now);
  turn.due = due(turn.credited, weight);
  return turn;
}

bool take_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica,
               const Turn& turn) {
  std::uint64_t seen = turn.seen;
  if (!replica.turns->taken.compare_exchange_strong(seen, turn.credited + 1,
                                                    std::memory_order_acq_rel)) {
    return false;
  }
  // Going back a little when two cores store out of order only makes the clock credit less.
  auto& clock = group.rotation_of(replica).now;
  if (turn.due > clock.load(std::memory_order_relaxed))
    clock.store(turn.due, std::memory_order_release);
  return true;
}

}  // namespace signalbox::balancer
