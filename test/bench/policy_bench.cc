// The routing scenarios in virtual time, all policies. For understanding a policy; the benchmark that counts is
// ./dev bench route.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "balancer/testing/virtual_rig.h"

namespace {

using signalbox::balancer::policy_name;
using signalbox::balancer::testing::Outcome;
using signalbox::balancer::testing::run;
using signalbox::balancer::testing::scenarios;
using signalbox::balancer::testing::synthetic_trace;
using signalbox::balancer::testing::Trace;
using signalbox::balancer::testing::TraceEntry;
using signalbox::config::BalancerPolicy;

double number_after(const std::string& line, const std::string& key) {
  return std::strtod(line.c_str() + line.find(key) + key.size(), nullptr);
}

Trace read_trace(const char* path, double speed, double output_scale) {
  Trace trace;
  std::ifstream file(path);
  double first = -1;
  for (std::string line; std::getline(file, line);) {
    TraceEntry entry;
    const double at = number_after(line, "\"timestamp\": ") / 1000 / speed;
    if (first < 0) first = at;
    entry.at_seconds = at - first;
    entry.output_tokens =
        std::max(1, static_cast<int>(number_after(line, "\"output_length\": ") * output_scale));
    const char* next = line.c_str() + line.find("\"hash_ids\": [") + 13;
    while (*next != ']' && entry.blocks.size() < 128) {
      char* end = nullptr;
      entry.blocks.push_back(static_cast<int>(std::strtol(next, &end, 10)));
      next = *end == ',' ? end + 1 : end;
    }
    trace.entries.push_back(std::move(entry));
  }
  return trace;
}

}  // namespace

// policy_bench [TRACE.jsonl [POLICY]]
int main(int argc, char** argv) {
  constexpr int kSeeds = 5;
  const Trace trace = argc > 1 ? read_trace(argv[1], 10, 0.1) : synthetic_trace(1, 60);
  for (const auto policy :
       {BalancerPolicy::kRoundRobin, BalancerPolicy::kLeastLoad, BalancerPolicy::kPowerOfTwo,
        BalancerPolicy::kSession, BalancerPolicy::kSessionMd5, BalancerPolicy::kPrefixAware,
        BalancerPolicy::kLoadAware, BalancerPolicy::kAuto}) {
    if (argc > 2 && policy_name(policy) != argv[2]) continue;
    for (const auto& scenario : scenarios()) {
      const Outcome outcome = run(scenario, policy, kSeeds, trace);
      fmt::print(
          "{:17} {:13} hit {:.3f} ttft {:6.1f} p50 {:5.1f} p99 {:7.1f} ms {:5.1f}/s busiest "
          "{:.2f}\n",
          scenario.name, policy_name(policy), outcome.hit_rate, outcome.ttft_mean_ms,
          outcome.ttft_p50_ms, outcome.ttft_p99_ms, outcome.rate, outcome.busiest);
    }
  }
}
