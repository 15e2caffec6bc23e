#include "discovery/endpoint.h"

#include <utility>

#include "base/hash.h"

namespace signalbox::discovery {

Endpoint::Endpoint(std::string url, net::Address address, std::string base_path,
                   std::shared_ptr<index::EngineCache> cache,
                   std::vector<std::shared_ptr<index::KvEngine>> kv)
    : cache_(std::move(cache)),
      kv_(std::move(kv)),
      url_(std::move(url)),
      address_(std::move(address)),
      base_path_(std::move(base_path)),
      hash_(hash64(url_)) {}

Service Endpoint::service(TimePoint now) const {
  const std::int64_t until = state_.ejected_until_ns.load(std::memory_order_relaxed);
  if (until == kNever) return Service::kOpen;
  return now.time_since_epoch().count() < until ? Service::kEjected : Service::kHalfOpen;
}

void Endpoint::set_health(Health health) {
  const Health before = state_.health.exchange(health, std::memory_order_relaxed);
  if (health == Health::kUnhealthy && before != health) cache_->forget();
}

InFlight::InFlight(std::shared_ptr<Endpoint> endpoint, Work work, bool trial)
    : endpoint_(std::move(endpoint)), work_(work), queued_(work.streams), trial_(trial) {
  endpoint_->state_.in_flight.fetch_add(1, std::memory_order_relaxed);
  endpoint_->load_.sent(work_.prefill_tokens, work_.streams, work_.sent_at);
}

InFlight::InFlight(InFlight&& other) noexcept
    : endpoint_(std::move(other.endpoint_)),
      work_(other.work_),
      queued_(std::exchange(other.queued_, false)),
      trial_(std::exchange(other.trial_, false)) {}

InFlight& InFlight::operator=(InFlight&& other) noexcept {
  if (this != &other) {
    end();
    endpoint_ = std::move(other.endpoint_);
    work_ = other.work_;
    queued_ = std::exchange(other.queued_, false);
    trial_ = std::exchange(other.trial_, false);
  }
  return *this;
}

void InFlight::first_token(TimePoint now) {
  if (!std::exchange(queued_, false)) return;
  endpoint_->load_.first_token(work_.prefill_tokens, work_.sent_at, now);
}

void InFlight::drop_prompt() {
  if (std::exchange(queued_, false)) endpoint_->load_.dropped(work_.prefill_tokens);
}

void InFlight::end() {
  if (!endpoint_) return;
  drop_prompt();
  if (std::exchange(trial_, false)) endpoint_->end_trial();
  endpoint_->state_.in_flight.fetch_sub(1, std::memory_order_relaxed);
  endpoint_.reset();
}

}  // namespace signalbox::discovery
