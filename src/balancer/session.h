// Session affinity: requests of one session go to one replica, by consistent hashing with bounded loads (Mirrokni,
// Thorup, Zadimoghaddam 2018). Each (session, endpoint) pair has a pseudo-random rank that depends on nothing else, so
// every router with the same endpoints chooses alike, and a change of the fleet moves only the sessions it must. A replica
// at its bound, load factor times its weighted share of the requests in flight, is passed over for the next in rank.
//
// Ranks are weighted rendezvous hashes (Thaler, Ravishankar 1998), not points on a ring: the same guarantees with an
// exact share per weight instead of the ring's spread, and no structure to rebuild when the fleet changes.
// O(options): one 64-bit mix and one logarithm each, about 10 ns. Requests without a session key go by least load.
#pragma once

#include <optional>
#include <string>

#include "balancer/least_load.h"
#include "balancer/policy.h"

namespace signalbox::balancer {

class Session final : public Policy {
 public:
  std::string_view name() const override { return "session"; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;

 private:
  LeastLoad without_session_;
};

// Rank of an endpoint for a session, lower is better: -ln(u) / weight with u in (0, 1] from the pair's hash. The chance to
// be the lowest is weight over the sum of weights.
double session_rank(std::uint64_t session, std::uint64_t endpoint_hash, int weight);

// Requests that an endpoint may have with one more than `in_flight_total` running: at least 2.
//   load_factor >= 1; share: the endpoint's weight over the sum of weights
double load_bound(double load_factor, std::int64_t in_flight_total, double share);

// The key of a request: the session header, else the body field; nothing if it has neither or an empty one.
std::optional<std::string> session_key(const exchange::ClientRequest& client,
                                       const exchange::Request& request,
                                       const config::Balancer& settings);

// From the priority header: below 0 urgent, above 0 can wait; 0 without one, and for what is no whole number.
int priority(const exchange::ClientRequest& client, const config::Balancer& settings);

}  // namespace signalbox::balancer
