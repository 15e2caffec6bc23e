#include "discovery/engine_load.h"

#include <algorithm>
#include <cmath>

namespace signalbox::discovery {
namespace {

// An observation counts half after 140 more: quick enough for a changed engine, slow enough for rare long prompts.
constexpr double kFading = 0.995;
// What the priors weigh, in observations.
constexpr double kPriorWeight = 4;
constexpr double kPriorTokens = 1000;
// No engine is slower or faster than this; keeps a few odd observations from ruling.
constexpr double kSecondsPerTokenMin = 1e-7;
constexpr double kSecondsPerTokenMax = 0.1;
constexpr double kOverheadSecondsMax = 10;
// A prompt in service is believed half done at most: its first token says when it is done, not the clock.
constexpr double kProgressMax = 0.5;
// The last scrape counts so much, those before it the rest.
constexpr double kScrapeShare = 0.5;

double seconds_of(TimePoint now) {
  return std::chrono::duration<double>(now.time_since_epoch()).count();
}

double fade(double count, double since_seconds) {
  return count * std::exp(-std::max(0.0, since_seconds) / seconds(EngineLoad::kRecentTime));
}

double blend(double old, double fresh) { return old + kScrapeShare * (fresh - old); }

}  // namespace

void PrefillSpeed::observe(double tokens, double seconds) {
  if (weight_ ==
      0) {  // the priors as two observations, so that the first real ones do not decide alone
    const double half = kPriorWeight / 2;
    const double long_one = kPriorOverheadSeconds + kPriorTokens * kPriorSecondsPerToken;
    weight_ = kPriorWeight;
    tokens_ = half * kPriorTokens;
    seconds_ = half * (kPriorOverheadSeconds + long_one);
    tokens_squared_ = half * kPriorTokens * kPriorTokens;
    product_ = half * kPriorTokens * long_one;
  }
  weight_ = weight_ * kFading + 1;
  tokens_ = tokens_ * kFading + tokens;
  seconds_ = seconds_ * kFading + seconds;
  tokens_squared_ = tokens_squared_ * kFading + tokens * tokens;
  product_ = product_ * kFading + tokens * seconds;
  const double variance = weight_ * tokens_squared_ - tokens_ * tokens_;
  const double covariance = weight_ * product_ - tokens_ * seconds_;
  if (variance > 0 && covariance > 0) {
    seconds_per_token_ =
        std::clamp(covariance / variance, kSecondsPerTokenMin, kSecondsPerTokenMax);
  }
  overhead_seconds_ =
      std::clamp((seconds_ - tokens_ * seconds_per_token_) / weight_, 0.0, kOverheadSecondsMax);
}

EngineLoad::View EngineLoad::view(TimePoint now) const {
  View view;
  view.seconds_per_token = seconds_per_token_.load(std::memory_order_relaxed);
  view.overhead_seconds = overhead_seconds_.load(std::memory_order_relaxed);
  view.evidence = evidence_.load(std::memory_order_relaxed);
  view.mean_tokens = mean_tokens_.load(std::memory_order_relaxed);
  view.mean_seconds = mean_seconds_.load(std::memory_order_relaxed);
  view.foreign_requests = foreign_requests_.load(std::memory_order_relaxed);
  view.foreign_waiting = foreign_waiting_.load(std::memory_order_relaxed);
  view.kv_usage = kv_usage_.load(std::memory_order_relaxed);
  view.recent_requests = fade(recent_.load(std::memory_order_relaxed),
                              seconds_of(now) - recent_at_seconds_.load(std::memory_order_relaxed));
  const auto queued = static_cast<double>(queued_tokens());
  if (queued > 0) {
    const double since =
        seconds(now.time_since_epoch() - Duration(progress_at_ns_.load(std::memory_order_relaxed)));
    view.backlog_tokens =
        std::max(queued - std::max(0.0, since) / view.seconds_per_token, queued * kProgressMax);
  }
  const double hidden = hidden_until_.load(std::memory_order_relaxed) - seconds_of(now);
  if (hidden > 0) view.backlog_tokens += hidden / view.seconds_per_token;
  return view;
}

void EngineLoad::sent(std::int64_t tokens, bool streams, TimePoint now) {
  {
    const std::scoped_lock lock(mutex_);
    const double at = seconds_of(now);
    recent_ = 1 + fade(recent_, at - recent_at_seconds_);
    recent_at_seconds_ = at;
  }
  if (streams) {
    const auto before = queued_tokens_.fetch_add(tokens, std::memory_order_relaxed);
    if (before <= 0)
      progress_at_ns_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    return;
  }
  const double work =
      static_cast<double>(tokens) * seconds_per_token_.load(std::memory_order_relaxed);
  const double start = seconds_of(now);
  double until = hidden_until_.load(std::memory_order_relaxed);
  while (!hidden_until_.compare_exchange_weak(until, std::max(until, start) + work,
                                              std::memory_order_relaxed)) {
  }
}

void EngineLoad::first_token(std::int64_t tokens, TimePoint sent_at, TimePoint now) {
  queued_tokens_.fetch_sub(tokens, std::memory_order_relaxed);
  const std::int64_t now_ns = now.time_since_epoch().count();
  const std::int64_t before = progress_at_ns_.exchange(now_ns, std::memory_order_relaxed);
  const std::int64_t began = std::max(before, sent_at.time_since_epoch().count());
  const std::scoped_lock lock(mutex_);
  speed_.observe(static_cast<double>(tokens),
                 seconds(Duration(std::max<std::int64_t>(0, now_ns - began))));
  seconds_per_token_.store(speed_.seconds_per_token(), std::memory_order_relaxed);
  overhead_seconds_.store(speed_.overhead_seconds(), std::memory_order_relaxed);
  evidence_.store(speed_.evidence(), std::memory_order_relaxed);
  mean_tokens_.store(speed_.mean_tokens(), std::memory_order_relaxed);
  mean_seconds_.store(speed_.mean_seconds(), std::memory_order_relaxed);
}

void EngineLoad::dropped(std::int64_t tokens) {
  queued_tokens_.fetch_sub(tokens, std::memory_order_relaxed);
}

void EngineLoad::scraped(const EngineFigures& figures, double own) {
  const double waiting = std::max(0.0, figures.waiting);
  const double all = std::max(0.0, figures.running) + waiting;
  const double foreign = std::max(0.0, all - own);
  const auto fold = [](std::atomic<double>& value, double fresh) {
    value.store(blend(value.load(std::memory_order_relaxed), fresh), std::memory_order_relaxed);
  };
  fold(foreign_requests_, foreign);
  fold(foreign_waiting_, all > 0 ? waiting * foreign / all : 0);
  if (figures.kv_usage >= 0) fold(kv_usage_, std::min(1.0, figures.kv_usage));
}

}  // namespace signalbox::discovery
