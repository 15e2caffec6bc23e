// Who may ask, and how much: API keys at the edge with a rate, a token rate and a number of requests at a time each.
//
// Rates are kept as theoretical arrival times (GCRA, as in ATM traffic control): one number a client and rate, exact to the
// nanosecond, shared by all cores. A full minute's worth may come at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/model.h"
#include "http/headers.h"

namespace signalbox::pipeline {

// A rate over a minute.
class MinuteRate {
 public:
  // Takes `amount` if a minute's worth is not used up; else how long to wait for it. `per_minute` 0: no limit.
  Duration take(std::int64_t amount, int per_minute, TimePoint now);
  // How long until something may be taken.
  Duration wait(int per_minute, TimePoint now) const;
  // Takes without asking: what is known only afterwards.
  void charge(std::int64_t amount, int per_minute, TimePoint now);
  std::int64_t left(int per_minute, TimePoint now) const;

 private:
  std::atomic<std::int64_t> used_until_ns_{0};  // when all that was taken is made up for
};

// What a client uses; shared by cores, survives reloads.
struct ClientUsage {
  MinuteRate requests;
  MinuteRate tokens;
  std::atomic<int> running{0};
};

struct Client {
  config::ClientKey key;
  std::shared_ptr<ClientUsage> usage;
};

// A client's request under way. Move-only; gives its place back at the end.
class Admission {
 public:
  Admission() = default;
  explicit Admission(const Client* client) : client_(client) {}
  Admission(Admission&& other) noexcept : client_(std::exchange(other.client_, nullptr)) {}
  Admission& operator=(Admission&& other) noexcept;
  ~Admission() { end(); }

  // nullptr: no keys are asked for.
  const config::ClientKey* key() const { return client_ == nullptr ? nullptr : &client_->key; }
  bool may_use(std::string_view model) const;
  void charge_tokens(std::int64_t tokens, TimePoint now) const;
  // x-ratelimit-* as OpenAI's API has them.
  void add_headers(http::Headers& headers, TimePoint now) const;

 private:
  void end();
  const Client* client_ = nullptr;  // lives in the table of the request's snapshot
};

struct Refusal {
  Error error;
  Duration retry_after{};  // zero: never
};

// The clients of one configuration. Immutable.
class AccessTable {
 public:
  // Usage of clients that `before` knows by name is kept.
  AccessTable(const config::Access& access, const AccessTable* before);

  bool open() const { return clients_.empty(); }
  // Finds the client by Authorization: Bearer or x-api-key and takes the key out of `headers`, so that no engine sees it.
  // Refusals: kUnauthenticated; kRateLimited with the time to wait.
  std::expected<Admission, Refusal> admit(http::Headers& headers, TimePoint now) const;
  // For a request that this process makes in a client's name (a batch): its models and its tokens are the client's, its
  // pace is ours. Nothing for a client that is not known any more.
  Admission in_name_of(std::string_view name) const;

 private:
  const Client* find(std::string_view key) const;
  std::vector<Client> clients_;
  std::unordered_multimap<std::uint64_t, std::size_t> by_hash_;
  std::uint64_t seed_;  // of the hash: keys are chosen by strangers
};

}  // namespace signalbox::pipeline
