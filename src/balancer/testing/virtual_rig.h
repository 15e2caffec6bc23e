// Workloads over virtual engines behind real balancers: the routing scenarios of the benchmark rig in virtual time. The same
// seed gives the same run on every machine, so policies are compared request by request, without noise.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "balancer/balancer.h"
#include "balancer/testing/virtual_engine.h"
#include "base/random.h"

namespace signalbox::balancer::testing {

struct RigOptions {
  config::BalancerPolicy policy = config::BalancerPolicy::kAuto;
  EngineModel engine;
  int engines = 4;
  double slow_engine_factor = 1;  // speed of the first engine over that of the others
  int routers = 1;                // each request goes to the next of them
  double scrape_seconds = 2;      // 0: engines are not asked
  bool session_key = true;        // requests carry one
  double warm_seconds = 8;
  double seconds = 16;
  std::uint64_t seed = 1;
};

struct Outcome {
  double hit_rate = 0;      // prompt tokens found in caches
  double ttft_mean_ms = 0;  // of requests answered in the recorded part, from when they were due
  double ttft_p50_ms = 0;
  double ttft_p99_ms = 0;
  double rate = 0;     // requests answered a second
  double busiest = 0;  // share of requests of the busiest engine, times the number of engines
};

// Conversations: a system prompt that groups of users share, a long first message, rounds of short questions.
struct Chat {
  int users = 64;
  int rounds = 8;
  double per_second = 40;
  int systems = 1;
  double skew = 0;  // Zipf exponent of the choice of a system prompt; 0: all alike
  int system_tokens = 500;
  int history_tokens = 2000;
  int question_tokens = 32;
  int answer_tokens = 64;
  double spread = 0.8;  // sigma of the log-normal lengths of first messages and answers
};
Outcome run_chat(const RigOptions& options, const Chat& chat);

// A recorded trace: requests at their times, prompts as lists of named blocks.
struct TraceEntry {
  double at_seconds = 0;
  int output_tokens = 1;
  std::vector<int> blocks;
};
struct Trace {
  std::vector<TraceEntry> entries;
  int block_bytes = 512;
};
Outcome run_trace(const RigOptions& options, const Trace& trace);

// Conversations that return with all they had, after pauses and at a changing rate, as public traces have them: `seconds`
// of some 30 requests a second, a quarter of the text repeated.
Trace synthetic_trace(std::uint64_t seed, double seconds);

// The scenarios that a policy is judged by; those of ./dev bench route, and conversations over two routers that do not talk.
struct Scenario {
  std::string name;
  RigOptions options;
  std::optional<Chat> chat;  // none: the trace
};
std::vector<Scenario> scenarios();

// Means over so many seeds; of `busiest` the largest. Traces have no seed and run once.
Outcome run(const Scenario& scenario, config::BalancerPolicy policy, int seeds, const Trace& trace);

}  // namespace signalbox::balancer::testing
