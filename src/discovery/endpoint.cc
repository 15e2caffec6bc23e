#include "discovery/endpoint.h"

#include <utility>

#include "base/hash.h"

namespace signalbox::discovery {

Endpoint::Endpoint(std::string url, net::Address address, std::string base_path)
    : url_(std::move(url)),
      address_(std::move(address)),
      base_path_(std::move(base_path)),
      hash_(hash64(url_)) {}

Service Endpoint::service(TimePoint now) const {
  const std::int64_t until = state_.ejected_until_ns.load(std::memory_order_relaxed);
  if (until == kNever) return Service::kOpen;
  return now.time_since_epoch().count() < until ? Service::kEjected : Service::kHalfOpen;
}

InFlight::InFlight(std::shared_ptr<Endpoint> endpoint, std::int64_t prefill_tokens, bool trial)
    : endpoint_(std::move(endpoint)), prefill_tokens_(prefill_tokens), trial_(trial) {
  auto& state = endpoint_->state_;
  state.in_flight.fetch_add(1, std::memory_order_relaxed);
  if (prefill_tokens_ != 0)
    state.queued_prefill_tokens.fetch_add(prefill_tokens_, std::memory_order_relaxed);
}

InFlight::InFlight(InFlight&& other) noexcept
    : endpoint_(std::move(other.endpoint_)),
      prefill_tokens_(std::exchange(other.prefill_tokens_, 0)),
      trial_(std::exchange(other.trial_, false)) {}

InFlight& InFlight::operator=(InFlight&& other) noexcept {
  if (this != &other) {
    end();
    endpoint_ = std::move(other.endpoint_);
    prefill_tokens_ = std::exchange(other.prefill_tokens_, 0);
    trial_ = std::exchange(other.trial_, false);
  }
  return *this;
}

void InFlight::first_byte() {
  const std::int64_t tokens = std::exchange(prefill_tokens_, 0);
  if (tokens != 0)
    endpoint_->state_.queued_prefill_tokens.fetch_sub(tokens, std::memory_order_relaxed);
}

void InFlight::end() {
  if (!endpoint_) return;
  first_byte();
  if (std::exchange(trial_, false)) endpoint_->end_trial();
  endpoint_->state_.in_flight.fetch_sub(1, std::memory_order_relaxed);
  endpoint_.reset();
}

}  // namespace signalbox::discovery
