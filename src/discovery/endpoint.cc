#include "discovery/endpoint.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/md5.h"

namespace signalbox::discovery {
namespace {

// RFC 9562, 5.3: version 3 from the DNS namespace and the URL.
std::string uuid_of(const std::string& url) {
  static constexpr std::string_view kDnsNamespace(
      "\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\x00\xc0\x4f\xd4\x30\xc8", 16);
  const Md5 digest = md5(std::string(kDnsNamespace) + url);
  const std::uint64_t high = (digest.high & ~0xf000ULL) | 0x3000ULL;
  const std::uint64_t low = (digest.low & ~(0xc0ULL << 56)) | (0x80ULL << 56);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff,
                     high & 0xffff, low >> 48, low & 0xffff'ffff'ffffULL);
}

}  // namespace

Endpoint::Endpoint(std::string url, net::Address address, std::string base_path,
                   std::shared_ptr<index::EngineCache> cache,
                   std::vector<std::shared_ptr<index::KvEngine>> kv)
    : cache_(std::move(cache)),
      kv_(std::move(kv)),
      url_(std::move(url)),
      address_(std::move(address)),
      base_path_(std::move(base_path)),
      hash_(hash64(url_)),
      id_(uuid_of(url_)) {}

void Endpoint::set_sleeping(bool sleeping, TimePoint now) {
  if (state_.sleeping.exchange(sleeping, std::memory_order_relaxed) == sleeping) return;
  if (sleeping) {
    cache_->forget();  // sleep mode discards the KV cache
  } else {
    begin_slow_start(now);
  }
}

double Endpoint::warm_share(TimePoint now, Duration slow_start) const {
  const std::int64_t since = state_.returned_ns.load(std::memory_order_relaxed);
  if (since == kNever || slow_start.count() <= 0) return 1;
  const auto passed = static_cast<double>(now.time_since_epoch().count() - since);
  return std::clamp(passed / static_cast<double>(slow_start.count()), kSlowStartShareMin, 1.0);
}

Endpoint::Totals Endpoint::totals() const {
  return {counts_.sent.load(std::memory_order_relaxed),
          counts_.finished.load(std::memory_order_relaxed),
          Duration(counts_.latency_ns.load(std::memory_order_relaxed))};
}

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
  endpoint_->counts_.sent.fetch_add(1, std::memory_order_relaxed);
  endpoint_->load_.sent(work_.prefill_tokens, work_.streams, work_.sent_at);
}

InFlight::InFlight(InFlight&& other) noexcept
    : endpoint_(std::move(other.endpoint_)),
      work_(other.work_),
      queued_(std::exchange(other.queued_, false)),
      trial_(std::exchange(other.trial_, false)),
      answering_(std::exchange(other.answering_, false)) {}

InFlight& InFlight::operator=(InFlight&& other) noexcept {
  if (this != &other) {
    end();
    endpoint_ = std::move(other.endpoint_);
    work_ = other.work_;
    queued_ = std::exchange(other.queued_, false);
    trial_ = std::exchange(other.trial_, false);
    answering_ = std::exchange(other.answering_, false);
  }
  return *this;
}

void InFlight::first_token(TimePoint now) {
  if (!std::exchange(queued_, false)) return;
  endpoint_->load_.first_token(work_.prefill_tokens, work_.sent_at, now);
}

void InFlight::answering() {
  if (!endpoint_ || std::exchange(answering_, true)) return;
  endpoint_->state_.decoding.fetch_add(1, std::memory_order_relaxed);
}

void InFlight::finish(TimePoint now) {
  if (!endpoint_) return;
  endpoint_->counts_.finished.fetch_add(1, std::memory_order_relaxed);
  endpoint_->counts_.latency_ns.fetch_add((now - work_.sent_at).count(), std::memory_order_relaxed);
  end();
}

void InFlight::drop_prompt() {
  if (std::exchange(queued_, false)) endpoint_->load_.dropped(work_.prefill_tokens);
}

void InFlight::end() {
  if (!endpoint_) return;
  if (std::exchange(answering_, false))
    endpoint_->state_.decoding.fetch_sub(1, std::memory_order_relaxed);
  drop_prompt();
  if (std::exchange(trial_, false)) endpoint_->end_trial();
  if (endpoint_->state_.in_flight.fetch_sub(1, std::memory_order_relaxed) == 1)
    endpoint_->load_.idle();
  endpoint_.reset();
}

}  // namespace signalbox::discovery
