// The routing scenarios in virtual time, all policies: policy_bench [TRACE.jsonl]. For understanding a policy; the benchmark
// that counts is ./dev bench route.
#include <fmt/core.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "balancer/testing/virtual_rig.h"

namespace {

using namespace signalbox;
using namespace signalbox::balancer;
using namespace signalbox::balancer::testing;
using config::BalancerPolicy;

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
    entry.output_tokens = std::max(1, static_cast<int>(number_after(line, "\"output_length\": ") * output_scale));
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

int main(int argc, char** argv) {
  const Trace real = argc > 1 ? read_trace(argv[1], 10, 0.1) : synthetic_trace(1, 60);
  debug_speeds = argc > 5;
  const std::string only = argc > 4 ? argv[4] : "";
  const std::pair<const char*, BalancerPolicy> policies[] = {
      {"round_robin", BalancerPolicy::kRoundRobin}, {"least_load", BalancerPolicy::kLeastLoad},
      {"power_of_two", BalancerPolicy::kPowerOfTwo}, {"session", BalancerPolicy::kSession},
      {"session_md5", BalancerPolicy::kSessionMd5}, {"prefix_aware", BalancerPolicy::kPrefixAware},
      {"load_aware", BalancerPolicy::kLoadAware}, {"auto", BalancerPolicy::kAuto}};
  const auto show = [](const char* scenario, const char* policy, const Outcome& o) {
    fmt::print("{:14} {:13} hit {:.3f} ttft {:6.1f} p50 {:5.1f} p99 {:7.1f} ms {:5.1f}/s busiest {:.2f}\n",
               scenario, policy, o.hit_rate, o.ttft_mean_ms, o.ttft_p50_ms, o.ttft_p99_ms, o.rate, o.busiest);
  };
  for (const auto& [name, policy] : policies) {
    if (!only.empty() && only != name) continue;
    RigOptions options;
    options.policy = policy;
    options.engine.blocks = argc > 6 ? std::atoi(argv[6]) : 4096;
    const auto average = [&](auto run) {
      Outcome sum;
      constexpr int kSeeds = 5;
      for (int i = 1; i <= kSeeds; ++i) {
        options.seed = static_cast<std::uint64_t>(i);
        const Outcome o = run();
        sum.hit_rate += o.hit_rate / kSeeds;
        sum.ttft_mean_ms += o.ttft_mean_ms / kSeeds;
        sum.ttft_p50_ms += o.ttft_p50_ms / kSeeds;
        sum.ttft_p99_ms += o.ttft_p99_ms / kSeeds;
        sum.rate += o.rate / kSeeds;
        sum.busiest = std::max(sum.busiest, o.busiest);
      }
      return sum;
    };
    Chat chat;
    show("chat@40", name, average([&] { return run_chat(options, chat); }));
    options.session_key = false;
    show("chat@40-nokey", name, average([&] { return run_chat(options, chat); }));
    options.routers = 2;
    show("chat@40-2r", name, average([&] { return run_chat(options, chat); }));
    options.routers = 1;
    options.session_key = true;
    chat.per_second = 20;
    show("chat@20", name, average([&] { return run_chat(options, chat); }));
    Chat prefix;
    prefix.rounds = 1; prefix.systems = 32; prefix.skew = 1.2; prefix.system_tokens = 2048;
    prefix.history_tokens = 128; prefix.answer_tokens = 32; prefix.spread = 0;
    options.session_key = false;
    options.engine.blocks = argc > 6 ? std::atoi(argv[6]) : 2048;
    options.warm_seconds = 12;
    show("prefix@40", name, average([&] { return run_chat(options, prefix); }));
    options.engine.blocks = argc > 6 ? std::atoi(argv[6]) : 16384;
    options.engine.prefill_rate = 40'000;
    options.warm_seconds = 14;
    options.seconds = 18;
    options.seed = 1;
    show("trace", name, run_trace(options, real));
    options.engines = 1; options.engine.blocks *= 4; options.engine.prefill_rate *= 50; options.engine.step_tokens=1000000; options.engine.running_max=10000;
    show("trace-one", name, run_trace(options, real));
  }
}
