#include "balancer/session_md5.h"

#include <algorithm>

namespace signalbox::balancer {
namespace {

constexpr int kPointsPerEngine = 160;

}  // namespace

const SessionMd5::Ring& SessionMd5::ring_of(const discovery::ReplicaGroup& group,
                                            const discovery::EndpointSet& set) {
  const auto known = rings_.find(group.model);
  if (known != rings_.end() && known->second.set_version == set.version()) return known->second;
  std::erase_if(rings_, [&](const auto& ring) { return ring.second.set_version != set.version(); });
  Ring& ring = rings_[group.model];
  ring.set_version = set.version();
  ring.points.clear();
  for (const auto& replica : group.replicas) {
    for (int i = 0; i < kPointsPerEngine; ++i) {
      ring.points.push_back(
          {md5(replica.endpoint->url() + "-" + std::to_string(i)), replica.endpoint.get()});
    }
  }
  std::ranges::sort(ring.points, {}, &Point::at);
  return ring;
}

void SessionMd5::score(std::span<const Option> options, const Context& context,
                       std::span<double> costs) {
  if (!context.session_text) return without_session_.score(options, context, costs);
  const auto& points = ring_of(*options.front().group, *context.set).points;
  const auto after = std::ranges::upper_bound(points, md5(*context.session_text), {}, &Point::at);
  const auto start = static_cast<std::size_t>(after - points.begin());
  std::fill(costs.begin(), costs.end(), 1.0);
  for (std::size_t step = 0; step < points.size(); ++step) {
    const Point& point = points[(start + step) % points.size()];
    const auto first = std::ranges::find_if(
        options, [&](const Option& option) { return &option.endpoint() == point.endpoint; });
    if (first == options.end()) continue;
    costs[static_cast<std::size_t>(first - options.begin())] = 0;
    return;
  }
}

}  // namespace signalbox::balancer
