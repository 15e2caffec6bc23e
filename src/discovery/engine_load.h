// The work of one engine as this router knows it: prompt tokens it was sent and has not computed, how fast it computes them,
// and what others send it. Exact where the router sees it (a streamed answer's first token says that its prompt is done),
// estimated where it does not (an answer in one piece hides when its prompt was done), and corrected by the engine's own
// figures for the load of other routers.
//
// Speed. Engines compute prompts in order of arrival, so the service of a prompt begins when it arrives or when the one
// before it is done, whichever is later, and takes overhead + tokens * seconds_per_token. Both are fitted by least squares
// over the last few hundred first tokens, older ones fading; without any, the priors below stand.
//
// Threads: everything from any thread. Reading is a handful of relaxed loads; a first token takes a lock of its own engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace signalbox::discovery {

// Priors: an 8B model on one accelerator of 2023. Replaced by what is observed within some ten requests.
inline constexpr double kPriorSecondsPerToken = 1.0 / 10'000;
inline constexpr double kPriorOverheadSeconds = 0.02;

// What an engine says about itself (vLLM's metric names); negative: not said.
struct EngineFigures {
  double running = -1;       // requests in its batch
  double waiting = -1;       // requests it has not begun
  double kv_usage = -1;      // 0..1, of the cache, by running requests
  double cache_tokens = -1;  // capacity of the cache
  friend bool operator==(const EngineFigures&, const EngineFigures&) = default;
};

// Least squares of seconds over tokens with fading weights. Not thread-safe.
class PrefillSpeed {
 public:
  // One prompt: tokens computed >= 0, seconds its service took >= 0.
  void observe(double tokens, double seconds);
  double seconds_per_token() const { return seconds_per_token_; }
  double overhead_seconds() const { return overhead_seconds_; }
  double evidence() const { return weight_; }
  // Of the observations, with their fading weights; 0 without any.
  double mean_tokens() const { return weight_ > 0 ? tokens_ / weight_ : 0; }
  double mean_seconds() const { return weight_ > 0 ? seconds_ / weight_ : 0; }

 private:
  double weight_ = 0, tokens_ = 0, seconds_ = 0, tokens_squared_ = 0, product_ = 0;
  double seconds_per_token_ = kPriorSecondsPerToken;
  double overhead_seconds_ = kPriorOverheadSeconds;
};

class EngineLoad {
 public:
  // What a policy weighs; seconds are those of this engine.
  struct View {
    double backlog_tokens = 0;  // prompt tokens before a request that arrives now
    double seconds_per_token = 0;
    double evidence = 0;          // first tokens that those two rest on, older ones fading
    double overhead_seconds = 0;  // to the first token of an empty prompt on an idle engine
    double mean_tokens = 0;       // of a prompt, as it was believed to be missing; 0: no evidence
    double mean_seconds = 0;      // that such a prompt took
    double foreign_requests = 0;  // of other routers, as last scraped
    double foreign_waiting = 0;   // those of them that the engine had not begun
    double kv_usage = 0;
    double recent_requests = 0;  // of this router, older ones fading over kRecentTime
  };
  View view(TimePoint now) const;

  // A request with so many tokens to compute was sent. `streams`: first_token() or dropped() will follow.
  void sent(std::int64_t tokens, bool streams, TimePoint now);
  // Its first token came. Teaches the speed.
  void first_token(std::int64_t tokens, TimePoint sent_at, TimePoint now);
  // It ended without one.
  void dropped(std::int64_t tokens);
  // No request of this router is left: nothing can be hidden in answers in one piece.
  void idle() { hidden_until_.store(0, std::memory_order_relaxed); }
  // New figures; `own` requests of this router were in flight at that moment.
  void scraped(const EngineFigures& figures, double own);

  // How long a request counts as recent, on average.
  static constexpr std::chrono::seconds kRecentTime{10};

  // Of streams that have not brought their first token.
  std::int64_t queued_tokens() const { return queued_tokens_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> queued_tokens_{0};
  std::atomic<std::int64_t> progress_at_ns_{0};  // the prompt in service began then, or later
  std::atomic<double> hidden_until_{
      0};  // seconds; when prompts of answers in one piece should be done
  std::atomic<double> seconds_per_token_{kPriorSecondsPerToken};
  std::atomic<double> overhead_seconds_{kPriorOverheadSeconds};
  std::atomic<double> evidence_{0};
  std::atomic<double> mean_tokens_{0};
  std::atomic<double> mean_seconds_{0};
  std::atomic<double> foreign_requests_{0};
  std::atomic<double> foreign_waiting_{0};
  std::atomic<double> kv_usage_{0};
  std::atomic<double> recent_{0};  // as of recent_at_seconds_
  std::atomic<double> recent_at_seconds_{0};
  std::mutex mutex_;  // guards speed_, and changes of what is fitted or faded
  PrefillSpeed speed_;
};

}  // namespace signalbox::discovery
