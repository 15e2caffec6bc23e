#include "balancer/expected_ttft.h"

namespace signalbox::balancer {
namespace {

bool is_elsewhere(const config::BackendRef& backend, const config::Balancer& settings) {
  if (settings.zone.empty() || settings.zones.empty()) return false;
  auto zone = settings.zones.find(backend.name);
  if (zone == settings.zones.end()) zone = settings.zones.find(backend.host);
  return zone == settings.zones.end() || zone->second != settings.zone;
}

}  // namespace

ExpectedTtft expected_ttft(const Option& option, const Context& context,
                           const discovery::EngineLoad::View& load, double missing_tokens,
                           double typical_tokens) {
  const auto& settings = context.set->balancer();
  ExpectedTtft ttft;
  ttft.overhead = load.overhead_seconds;
  ttft.waiting =
      (load.backlog_tokens + load.foreign_waiting * typical_tokens) * load.seconds_per_token;
  ttft.compute = missing_tokens * load.seconds_per_token;
  if (is_elsewhere(option.replica->backend, settings))
    ttft.distance = seconds(settings.zone_penalty);
  return ttft;
}

}  // namespace signalbox::balancer
