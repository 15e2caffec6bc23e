// Whose turn it is: weighted round robin over the replicas of one model, shared by all cores without a lock.
//
// Each replica counts the turns it has had; its next turn is due at (turns + 1/2) / weight on the model's virtual clock,
// and the earliest goes first. That is the Webster / Sainte-Lague division: any `sum of weights` consecutive turns hold
// exactly `weight` turns of each replica, spread evenly (weights 5,1,1 give a a b c a a a, not five a in a row). A replica
// that could not be used and returns, or is new, enters at the present virtual time instead of catching up in a burst.
// Cores racing for one turn may both take it; counts are atomic, so the proportions recover at once.
#pragma once

#include <cstdint>

#include "discovery/endpoint_table.h"

namespace signalbox::balancer {

// When the replica's next turn is due. O(1), reads only. Weight must be positive.
double next_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica);

// Counts a turn as taken and moves the clock. O(1).
void take_turn(const discovery::ReplicaGroup& group, const discovery::Replica& replica);

}  // namespace signalbox::balancer
