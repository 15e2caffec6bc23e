// Endpoint: one place where engines answer, known by its URL, and the little state that all cores share about it. The
// object outlives configuration reloads and sets, so counters and ejections survive them; everything about it that
// comes from configuration (weights, settings, models) lives in the immutable EndpointSet instead.
//
// State is a handful of atomics in one cache line of its own: a request touches one line per endpoint it looks at.
// Orderings are relaxed: each value stands alone, and a pick that is one request out of date is still a good pick.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "discovery/engine_load.h"
#include "index/engine_cache.h"
#include "index/kv_index.h"
#include "net/network.h"

namespace signalbox::discovery {

// What the active check last said. kUnknown (not asked yet, or not checked at all) counts as usable.
enum class Health : std::uint8_t { kUnknown, kHealthy, kUnhealthy };

// Passive ejection. After its time an ejected endpoint is half open: one trial request at a time decides.
enum class Service : std::uint8_t { kOpen, kEjected, kHalfOpen };

inline constexpr std::size_t kCacheLineBytes = 64;

class Endpoint {
 public:
  Endpoint(std::string url, net::Address address, std::string base_path,
           std::shared_ptr<index::EngineCache> cache,
           std::vector<std::shared_ptr<index::KvEngine>> kv = {});
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const std::string& url() const { return url_; }
  const net::Address& address() const { return address_; }
  const std::string& base_path() const {
    return base_path_;
  }  // prefix of every path, no trailing slash
  // Equal on every router that knows the URL; basis of consistent hashing.
  std::uint64_t hash() const { return hash_; }

  // Name in /engines and in ?id=: a UUID (version 3 of the URL), so that every router gives an engine the same one.
  const std::string& id() const { return id_; }

  // When this router first knew it; Unix time.
  std::chrono::nanoseconds created() const { return created_; }

  // Requests sent and not finished, over all cores of this process.
  std::int32_t in_flight() const { return state_.in_flight.load(std::memory_order_relaxed); }
  // Prompt tokens of streams that have not brought their first token; an estimate.
  std::int64_t queued_prefill_tokens() const { return load_.queued_tokens(); }
  const EngineLoad& load() const { return load_; }
  EngineLoad& load() { return load_; }
  // What its prefix cache is believed to hold. Never nullptr.
  index::EngineCache& cache() const { return *cache_; }
  // What it says itself that it holds, by data-parallel rank; empty where KV events are off.
  std::span<const std::shared_ptr<index::KvEngine>> kv() const { return kv_; }

  Health health() const { return state_.health.load(std::memory_order_relaxed); }
  // An engine that was down has lost its cache.
  void set_health(Health health);
  // A draining endpoint finishes what it has and gets nothing new.
  bool draining() const { return state_.draining.load(std::memory_order_relaxed); }
  void set_draining(bool draining) { state_.draining.store(draining, std::memory_order_relaxed); }

  // A sleeping engine gets no requests until it is woken.
  bool sleeping() const { return state_.sleeping.load(std::memory_order_relaxed); }
  void set_sleeping(bool sleeping, TimePoint now);

  // Slow start: the engine is new or back, and its share grows over a time that the configuration gives.
  void begin_slow_start(TimePoint now) {
    state_.returned_ns.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  // Share of its weight that it should get now, kSlowStartShareMin..1.
  double warm_share(TimePoint now, Duration slow_start) const;
  // It joined others that were serving already.
  bool joined_late() const { return joined_late_; }

  // Requests whose answer has begun.
  std::int32_t decoding() const { return state_.decoding.load(std::memory_order_relaxed); }
  // Since the start: requests sent, requests finished, and what they took.
  struct Totals {
    std::uint64_t sent = 0;
    std::uint64_t finished = 0;
    Duration latency_sum{};
  };
  Totals totals() const;

  Service service(TimePoint now) const;
  // Claims the one trial of a half-open endpoint; false when another request has it. Release with end_trial().
  bool begin_trial() { return !state_.trial.exchange(true, std::memory_order_acq_rel); }
  void end_trial() { state_.trial.store(false, std::memory_order_release); }
  bool trial_running() const { return state_.trial.load(std::memory_order_relaxed); }

  std::int32_t consecutive_failures() const {
    return state_.consecutive_failures.load(std::memory_order_relaxed);
  }
  // Ejections in a row without a long good time between them; decides how long the next one lasts.
  std::int32_t ejections() const { return state_.ejections.load(std::memory_order_relaxed); }

 private:
  friend class InFlight;
  friend class EndpointTable;

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
  struct alignas(kCacheLineBytes) State {
    std::atomic<std::int64_t> ejected_until_ns{kNever};  // monotonic; kNever: in service
    std::atomic<std::int64_t> returned_at_ns{kNever};    // end of the last ejection
    std::atomic<std::int32_t> in_flight{0};
    std::atomic<std::int32_t> consecutive_failures{0};
    std::atomic<std::int32_t> ejections{0};
    std::atomic<Health> health{Health::kUnknown};
    std::atomic<bool> draining{false};
    std::atomic<bool> trial{false};
    std::atomic<bool> sleeping{false};
    std::atomic<std::int32_t> decoding{0};
    std::atomic<std::int64_t> returned_ns{kNever};  // when slow start began
  };
  static_assert(sizeof(State) == kCacheLineBytes);

  // Written at the end of requests; a line of its own, so that picks do not wait for it.
  struct alignas(kCacheLineBytes) Counts {
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> finished{0};
    std::atomic<std::int64_t> latency_ns{0};
  };

  State state_;
  Counts counts_;
  EngineLoad load_;
  std::shared_ptr<index::EngineCache> cache_;
  std::vector<std::shared_ptr<index::KvEngine>> kv_;
  std::string url_;
  net::Address address_;
  std::string base_path_;
  std::uint64_t hash_;
  std::string id_;
  std::chrono::nanoseconds created_ = system_clock().unix_time();
  bool joined_late_ = false;
};

inline constexpr double kSlowStartShareMin = 0.1;

// What one request asks of an engine.
struct Work {
  std::int64_t prefill_tokens = 0;  // that the engine must still compute; an estimate
  bool streams = true;              // its first token will be seen
  TimePoint sent_at{};
};

// Counts one request on its endpoint while it lives, so that every counter returns to zero whatever happens. Move-only;
// may end on another thread than it began.
class InFlight {
 public:
  InFlight() = default;
  // `trial`: this request holds the trial of a half-open endpoint, and gives it back at the end.
  InFlight(std::shared_ptr<Endpoint> endpoint, Work work, bool trial);
  InFlight(InFlight&& other) noexcept;
  InFlight& operator=(InFlight&& other) noexcept;
  ~InFlight() { end(); }

  // The engine has produced its first token: its prompt is no longer queued, and how long that took is noted. Idempotent.
  void first_token(TimePoint now);
  // The answer has begun: its head or, of a stream, its first token came. Idempotent.
  void answering();
  // Its prompt is computed elsewhere: nothing of it is queued here. Idempotent.
  void drop_prompt();
  // Ends the count now. Idempotent.
  void end();
  // Ends the count and adds the request to what the endpoint has finished.
  void finish(TimePoint now);
  bool active() const { return endpoint_ != nullptr; }

 private:
  std::shared_ptr<Endpoint> endpoint_;
  Work work_;
  bool queued_ = false;
  bool trial_ = false;
  bool answering_ = false;
};

}  // namespace signalbox::discovery
