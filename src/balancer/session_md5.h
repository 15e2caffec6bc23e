// Session affinity on the ring of vLLM Production Stack's router (`--routing-logic session`), so that sessions stay where
// they are when it is replaced: 160 points an engine, at the MD5 of "URL-i" for i from 0; a session goes to the first point
// after the MD5 of its key. What cannot be used is passed over, as if its points were not there. No bound on load.
//
// A ring belongs to a model and is built when its engines change, not for each request. O(log points + points passed over)
// a request; 4 KB and 160 digests an engine. Requests without a session key go by least load.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "balancer/least_load.h"
#include "balancer/policy.h"
#include "base/md5.h"

namespace signalbox::balancer {

class SessionMd5 final : public Policy {
 public:
  std::string_view name() const override { return "session_md5"; }
  void score(std::span<const Option> options, const Context& context,
             std::span<double> costs) override;

 private:
  struct Point {
    Md5 at;
    const discovery::Endpoint* endpoint = nullptr;  // compared, never followed
  };
  struct Ring {
    std::uint64_t set_version = 0;
    std::vector<Point> points;  // ascending
  };
  const Ring& ring_of(const discovery::ReplicaGroup& group, const discovery::EndpointSet& set);

  LeastLoad without_session_;
  std::map<std::string, Ring, std::less<>> rings_;  // by model; those of older sets are dropped
};

}  // namespace signalbox::balancer
