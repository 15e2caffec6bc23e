// Whose turn it is: weighted round robin over the replicas of one model, shared by all cores without a lock.
//
// Each replica counts the turns it has had; its next turn is due at (turns + 1/2) / weight on the model's virtual clock,
// and the earliest goes first. That is the Webster / Sainte-Lague division: any `sum of weights` consecutive turns hold
// exactly `weight` turns of each replica, spread evenly (weights 5,1,1 give a a b c a a a, not five a in a row). A replica
// that could not be used and returns, or is new, enters at the present virtual time instead of catching up in a burst.
// A turn is granted to one core only: who loses the race for it chooses again, so the proportions are exact over all cores.
#pragma once

#include <cstdint>

#include "discovery/endpoint_table.h"

namespace signalbox::balancer {

struct Turn {
  double due = 0;              // virtual time; the earliest of the options goes first
  std::uint64_t seen = 0;      // the replica's count when this was read
  std::uint64_t credited = 0;  // the same, with what it missed while it was away
};

// The replica's next turn. O(1), reads only. Weight must be positive.
Turn next_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica);

// Takes that turn and moves the clock. False if another core has just taken it: read the turns again. O(1).
bool take_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica,
               const Turn& turn);

}  // namespace signalbox::balancer
