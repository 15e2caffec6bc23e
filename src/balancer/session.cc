#include "balancer/session.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "base/hash.h"

namespace signalbox::balancer {
namespace {

// Ranks of real pairs stay below 45 (u >= 2^-64, weight >= 1), so this puts every full replica behind every other one and
// keeps their order among themselves.
constexpr double kFullCost = 1e3;

// A request whose last byte is on its way still counts for a moment, and its client may already ask again: one request
// beside another is no load that a session should move for.
constexpr double kBoundMin = 2;

}  // namespace

double session_rank(std::uint64_t session, std::uint64_t endpoint_hash, int weight) {
  const std::uint64_t mixed = mix64(session ^ mix64(endpoint_hash));
  const double u = (static_cast<double>(mixed >> 11) + 1.0) * 0x1p-53;
  return -std::log(u) / weight;
}

double load_bound(double load_factor, std::int64_t in_flight_total, double share) {
  return std::max(kBoundMin,
                  std::ceil(load_factor * static_cast<double>(in_flight_total + 1) * share));
}

void Session::score(std::span<const Option> options, const Context& context,
                    std::span<double> costs) {
  if (!context.session) return without_session_.score(options, context, costs);
  std::int64_t in_flight_total = 0;
  double weight_total = 0;
  for (const Option& option : options) {
    in_flight_total += option.endpoint().in_flight();
    weight_total += option.weight();
  }
  const double factor = std::max(1.0, context.set->balancer().session_load_factor);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const auto& endpoint = options[i].endpoint();
    const bool full = endpoint.in_flight() >=
                      load_bound(factor, in_flight_total, options[i].weight() / weight_total);
    costs[i] = session_rank(*context.session, endpoint.hash(), options[i].weight()) +
               (full ? kFullCost : 0.0);
  }
}

std::optional<std::string> session_key(const exchange::ClientRequest& client,
                                       const exchange::Request& request,
                                       const config::Balancer& settings) {
  if (!settings.session_header.empty()) {
    const std::string_view header = client.headers.get(settings.session_header);
    if (!header.empty()) return std::string(header);
  }
  if (settings.session_body_field.empty() || request.document.empty()) return std::nullopt;
  const auto field = request.document.root().find(settings.session_body_field);
  if (!field || !*field || !(*field)->is_string()) return std::nullopt;
  std::string value = (*field)->string();
  if (value.empty()) return std::nullopt;
  return value;
}

int priority(const exchange::ClientRequest& client, const config::Balancer& settings) {
  if (settings.priority_header.empty()) return 0;
  const std::string_view text = client.headers.get(settings.priority_header);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

}  // namespace signalbox::balancer
