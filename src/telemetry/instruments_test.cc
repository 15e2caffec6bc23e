#include "telemetry/instruments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "telemetry/process_metrics.h"

namespace signalbox::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const Registry& registry) {
  std::string out;
  registry.expose(out);
  return out;
}

// Names that dashboards, alerts and autoscalers of the two systems read; a rename here breaks a user.
TEST(Instruments, ExportTheNamesThatPublishedDashboardsAndAutoscalersRead) {
  Registry registry;
  const Instruments instruments(registry);
  const std::string text = text_of(registry);
  for (const char* name : {"llm_model_requests_total",
                           "llm_request_errors_total",
                           "llm_model_tokens_total",
                           "llm_model_prompt_tokens_total",
                           "llm_model_completion_tokens_total",
                           "llm_model_completion_latency_seconds",
                           "llm_model_ttft_seconds",
                           "llm_model_tpot_seconds",
                           "llm_model_routing_latency_seconds",
                           "llm_model_inflight_requests",
                           "llm_model_routing_modifications_total",
                           "llm_routing_reason_codes_total",
                           "llm_signal_extraction_total",
                           "llm_signal_match_total",
                           "llm_signal_extraction_latency_seconds",
                           "llm_decision_evaluation_total",
                           "llm_decision_match_total",
                           "llm_decision_confidence",
                           "llm_decision_evaluation_latency_seconds",
                           "llm_plugin_execution_total",
                           "llm_model_cost_total",
                           "llm_reasoning_decisions_total",
                           "vllm:num_incoming_requests_total",
                           "vllm:request_latency_seconds",
                           "vllm:input_tokens_total",
                           "vllm:output_tokens_total",
                           "vllm:request_errors_total"}) {
    EXPECT_THAT(text, HasSubstr(std::string("# TYPE ") + name + " ")) << name;
  }
}

TEST(Instruments, SecondsOfAnLlmAnswerOfTenMinutesFallIntoABucket) {
  Registry registry;
  Instruments instruments(registry);
  instruments.completion_latency.with("m").observe(599.0);
  EXPECT_THAT(text_of(registry),
              HasSubstr("llm_model_completion_latency_seconds_bucket{model=\"m\",le=\"600\"} 1\n"));
  EXPECT_THAT(text_of(registry),
              HasSubstr("llm_model_completion_latency_seconds_bucket{model=\"m\",le=\"300\"} 0\n"));
}

TEST(Instruments, EnginesThatLeftTheTableLeaveTheExposition) {
  Registry registry;
  Instruments instruments(registry);
  bool present = true;
  int asked = 0;
  instruments.watch_engines([&](std::vector<EngineSample>& engines) {
    ++asked;
    if (!present) return;
    EngineSample engine;
    engine.server = "http://10.0.0.1:8000";
    engine.healthy = true;
    engine.requests_running = 3;
    engine.prefix_cache_hits = 30;
    engine.prefix_cache_queries = 40;
    engines.push_back(engine);
  });
  const std::string text = text_of(registry);
  EXPECT_THAT(text, HasSubstr("vllm:num_requests_running{server=\"http://10.0.0.1:8000\"} 3\n"));
  EXPECT_THAT(text,
              HasSubstr("vllm:gpu_prefix_cache_hit_rate{server=\"http://10.0.0.1:8000\"} 0.75\n"));
  EXPECT_THAT(text, HasSubstr("vllm:healthy_pods_total{server=\"http://10.0.0.1:8000\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("vllm:num_requests_waiting")));  // unknown is not zero
  EXPECT_EQ(asked, 1);
  present = false;
  EXPECT_THAT(text_of(registry), Not(HasSubstr("10.0.0.1")));
}

// Pods come and go: without this their counters pile up until new ones are counted as "other".
TEST(Instruments, WhatWasCountedOfAnEngineLeavesSomeTimeAfterIt) {
  struct TestClock final : Clock {
    TimePoint at{};
    TimePoint now() const override { return at; }
    std::chrono::nanoseconds unix_time() const override { return at.time_since_epoch(); }
  } clock;
  Registry registry;
  Instruments instruments(registry);
  std::vector<EngineSample> table;
  for (const char* server : {"http://stays", "http://leaves"}) table.push_back({.server = server});
  instruments.watch_engines([&](std::vector<EngineSample>& engines) { engines = table; }, clock);
  for (const auto& engine : table)
    instruments.server_errors.with(engine.server, "m", "connect").add(3);
  static_cast<void>(text_of(registry));
  table.pop_back();
  EXPECT_THAT(text_of(registry), HasSubstr("http://leaves")) << "its last errors were not scraped";
  clock.at += kGoneEngineShown;
  static_cast<void>(text_of(registry));
  EXPECT_THAT(text_of(registry), Not(HasSubstr("http://leaves")));
  EXPECT_THAT(text_of(registry),
              HasSubstr("{server=\"http://stays\",model=\"m\",error_type=\"connect\"} 3\n"));
  // Back again, it goes on where it stopped, and its time starts anew.
  table.push_back({.server = "http://leaves"});
  instruments.server_errors.with("http://leaves", "m", "connect").add();
  EXPECT_THAT(text_of(registry),
              HasSubstr("{server=\"http://leaves\",model=\"m\",error_type=\"connect\"} 4\n"));
  table.pop_back();
  EXPECT_THAT(text_of(registry), HasSubstr("http://leaves"));
}

TEST(Instruments, AnEjectedEngineIsNotCountedAsHealthy) {
  Registry registry;
  Instruments instruments(registry);
  instruments.watch_engines([](std::vector<EngineSample>& engines) {
    engines.push_back({.server = "http://a", .healthy = true, .ejected = true});
  });
  EXPECT_THAT(text_of(registry), HasSubstr("vllm:healthy_pods_total{server=\"http://a\"} 0\n"));
  EXPECT_THAT(text_of(registry), HasSubstr("signalbox_endpoint_ejected{server=\"http://a\"} 1\n"));
}

// A parser of the exposition refuses a name that comes twice, and samples outside the block of their name.
TEST(Instruments, EachNameIsExposedOnceWithItsSamplesBehindIt) {
  Registry registry;
  Instruments instruments(registry);
  register_process_metrics(registry, system_clock());
  instruments.set_build_info({"0.1.0", "abc", "gcc"});
  instruments.watch_engines(
      [](std::vector<EngineSample>& engines) { engines.push_back({.server = "http://a"}); });
  instruments.ttft.with("m").observe(0.2);
  instruments.reasoning_decisions.with("math", "m", "true", "high").add();
  std::istringstream lines(text_of(registry));
  std::set<std::string> seen;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    std::string name;
    words >> first >> second >> name;
    if (first == "#" && second == "HELP") {
      current = name;
      EXPECT_TRUE(seen.insert(name).second) << name;
    } else if (first != "#") {
      EXPECT_EQ(first.rfind(current, 0), 0U) << line;
    }
  }
  EXPECT_GT(seen.size(), 50U);
}

TEST(ProcessMetrics, SayHowMuchMemoryAndHowManyFilesAreInUse) {
  Registry registry;
  register_process_metrics(registry, system_clock());
  const std::string text = text_of(registry);
  for (const char* name : {"process_resident_memory_bytes", "process_open_fds"}) {
    const auto at = text.find(std::string("\n") + name + " ");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_GT(std::stod(text.substr(at + std::string(name).size() + 2)), 0) << name;
  }
}

}  // namespace
}  // namespace signalbox::telemetry
