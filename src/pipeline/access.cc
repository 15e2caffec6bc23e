#include "pipeline/access.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"

namespace signalbox::pipeline {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

std::int64_t ns(TimePoint at) { return at.time_since_epoch().count(); }

// Time that makes up for `amount`.
std::int64_t cost_ns(std::int64_t amount, int per_minute) {
  return static_cast<std::int64_t>(static_cast<double>(kMinute.count()) *
                                   static_cast<double>(amount) / per_minute);
}

// Does not stop at the first difference, so that time says nothing about a key.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

std::string_view bearer(const http::Headers& headers) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view value = headers.get("authorization");
  if (!starts_with_ignore_case(value, kBearer)) return {};
  return trim(value.substr(kBearer.size()));
}

std::unexpected<Refusal> refuse(Code code, std::string message, Duration retry_after = {}) {
  return std::unexpected(
      Refusal{Error{code, std::move(message), {}, std::source_location::current()}, retry_after});
}

}  // namespace

Duration MinuteRate::take(std::int64_t amount, int per_minute, TimePoint now) {
  if (per_minute <= 0) return {};
  std::int64_t used = used_until_ns_.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t next = std::max(used, ns(now)) + cost_ns(amount, per_minute);
    const std::int64_t over = next - ns(now) - kMinute.count();
    if (over > 0) return Duration(over);
    if (used_until_ns_.compare_exchange_weak(used, next, std::memory_order_relaxed)) return {};
  }
}

Duration MinuteRate::wait(int per_minute, TimePoint now) const {
  if (per_minute <= 0) return {};
  const std::int64_t used = used_until_ns_.load(std::memory_order_relaxed);
  return Duration(std::max<std::int64_t>(0, used - ns(now) - kMinute.count()));
}

void MinuteRate::charge(std::int64_t amount, int per_minute, TimePoint now) {
  if (per_minute <= 0 || amount <= 0) return;
  std::int64_t used = used_until_ns_.load(std::memory_order_relaxed);
  while (!used_until_ns_.compare_exchange_weak(
      used, std::max(used, ns(now)) + cost_ns(amount, per_minute), std::memory_order_relaxed)) {
  }
}

std::int64_t MinuteRate::left(int per_minute, TimePoint now) const {
  const std::int64_t used =
      std::max<std::int64_t>(0, used_until_ns_.load(std::memory_order_relaxed) - ns(now));
  const double share = static_cast<double>(used) / static_cast<double>(kMinute.count());
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(per_minute * (1 - share) + 1e-6));
}

Admission& Admission::operator=(Admission&& other) noexcept {
  if (this != &other) {
    end();
    client_ = std::exchange(other.client_, nullptr);
  }
  return *this;
}

void Admission::end() {
  if (client_ != nullptr) client_->usage->running.fetch_sub(1, std::memory_order_relaxed);
  client_ = nullptr;
}

bool Admission::may_use(std::string_view model) const {
  if (client_ == nullptr || client_->key.models.empty()) return true;
  const auto& models = client_->key.models;
  return std::ranges::find(models, model) != models.end();
}

void Admission::charge_tokens(std::int64_t tokens, TimePoint now) const {
  if (client_ != nullptr)
    client_->usage->tokens.charge(tokens, client_->key.tokens_per_minute, now);
}

void Admission::add_headers(http::Headers& headers, TimePoint now) const {
  if (client_ == nullptr) return;
  const auto add = [&](std::string_view what, const MinuteRate& rate, int per_minute) {
    if (per_minute <= 0) return;
    headers.set(fmt::format("x-ratelimit-limit-{}", what), std::to_string(per_minute));
    headers.set(fmt::format("x-ratelimit-remaining-{}", what),
                std::to_string(rate.left(per_minute, now)));
  };
  add("requests", client_->usage->requests, client_->key.requests_per_minute);
  add("tokens", client_->usage->tokens, client_->key.tokens_per_minute);
}

AccessTable::AccessTable(const config::Access& access, const AccessTable* before)
    : seed_(entropy_seed()) {
  for (const config::ClientKey& key : access.keys) {
    std::shared_ptr<ClientUsage> usage;
    if (before != nullptr) {
      const auto same = std::ranges::find_if(
          before->clients_, [&](const Client& client) { return client.key.name == key.name; });
      if (same != before->clients_.end()) usage = same->usage;
    }
    if (!usage) usage = std::make_shared<ClientUsage>();
    by_hash_.emplace(hash64(key.key.reveal(), seed_), clients_.size());
    clients_.push_back({key, std::move(usage)});
  }
}

const Client* AccessTable::find(std::string_view key) const {
  if (key.empty()) return nullptr;
  const auto [begin, end] = by_hash_.equal_range(hash64(key, seed_));
  for (auto at = begin; at != end; ++at) {
    if (same_secret(clients_[at->second].key.key.reveal(), key)) return &clients_[at->second];
  }
  return nullptr;
}

Admission AccessTable::in_name_of(std::string_view name) const {
  const auto client =
      std::ranges::find_if(clients_, [&](const Client& known) { return known.key.name == name; });
  if (client == clients_.end()) return {};
  client->usage->running.fetch_add(1, std::memory_order_relaxed);
  return Admission(&*client);
}

std::expected<Admission, Refusal> AccessTable::admit(http::Headers& headers, TimePoint now) const {
  if (open()) return Admission();
  const Client* client = find(bearer(headers));
  if (client == nullptr) client = find(headers.get("x-api-key"));
  if (client == nullptr) {
    const bool none = !headers.has("authorization") && !headers.has("x-api-key");
    return refuse(Code::kUnauthenticated,
                  none ? "no API key given: send it as Authorization: Bearer KEY"
                       : "the API key is not known here");
  }
  headers.remove("authorization");
  headers.remove("x-api-key");
  const config::ClientKey& key = client->key;
  ClientUsage& usage = *client->usage;
  if (const Duration wait = usage.tokens.wait(key.tokens_per_minute, now); wait.count() > 0)
    return refuse(Code::kRateLimited, "the tokens of this minute are used up", wait);
  const int running = usage.running.fetch_add(1, std::memory_order_relaxed);
  Admission admission(client);  // takes the place back on every way out
  if (key.concurrent_max > 0 && running >= key.concurrent_max)
    return refuse(Code::kRateLimited, "too many requests of this key at a time",
                  std::chrono::seconds(1));
  if (const Duration wait = usage.requests.take(1, key.requests_per_minute, now); wait.count() > 0)
    return refuse(Code::kRateLimited, "the requests of this minute are used up", wait);
  return admission;
}

}  // namespace signalbox::pipeline
