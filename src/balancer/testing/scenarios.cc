#include <algorithm>

#include "balancer/testing/virtual_rig.h"

namespace signalbox::balancer::testing {

std::vector<Scenario> scenarios() {
  RigOptions chat;
  chat.engine.blocks = 4096;
  Chat calm;
  calm.per_second = 20;
  Chat single;
  single.rounds = 1;
  single.systems = 32;
  single.skew = 1.2;
  single.system_tokens = 2048;
  single.history_tokens = 128;
  single.answer_tokens = 32;
  single.spread = 0;
  RigOptions keyless = chat;
  keyless.session_key = false;
  RigOptions two = keyless;
  two.routers = 2;
  RigOptions prefix = keyless;
  prefix.engine.blocks = 2048;
  prefix.warm_seconds = 12;
  RigOptions trace = keyless;
  trace.engine.blocks = 16'384;
  trace.engine.prefill_rate = 40'000;
  trace.warm_seconds = 14;
  trace.seconds = 18;
  return {{"chat@40", chat, Chat{}},         {"chat@40-nokey", keyless, Chat{}},
          {"chat@40-2routers", two, Chat{}}, {"chat@20", chat, calm},
          {"prefix@40", prefix, single},     {"trace", trace, std::nullopt}};
}

Outcome run(const Scenario& scenario, config::BalancerPolicy policy, int seeds,
            const Trace& trace) {
  RigOptions options = scenario.options;
  options.policy = policy;
  if (!scenario.chat) return run_trace(options, trace);
  Outcome mean;
  for (int i = 1; i <= seeds; ++i) {
    options.seed = static_cast<std::uint64_t>(i);
    const Outcome one = run_chat(options, *scenario.chat);
    mean.hit_rate += one.hit_rate / seeds;
    mean.ttft_mean_ms += one.ttft_mean_ms / seeds;
    mean.ttft_p50_ms += one.ttft_p50_ms / seeds;
    mean.ttft_p99_ms += one.ttft_p99_ms / seeds;
    mean.rate += one.rate / seeds;
    mean.busiest = std::max(mean.busiest, one.busiest);
  }
  return mean;
}

}  // namespace signalbox::balancer::testing
