#include "discovery/engine_metrics.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::discovery {
namespace {

TEST(EngineMetrics, FiguresOfAPresentEngineAreRead) {
  const auto figures = read_engine_figures(
      "# HELP vllm:num_requests_running Number of requests.\n"
      "# TYPE vllm:num_requests_running gauge\n"
      "vllm:num_requests_running{engine=\"0\",model_name=\"a\"} 3.0\n"
      "vllm:num_requests_waiting{engine=\"0\",model_name=\"a\"} 2.0\n"
      "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a\"} 0.25\n"
      "vllm:cache_config_info{block_size=\"16\",cache_dtype=\"auto\",num_gpu_blocks=\"1000\"} "
      "1.0\n");
  EXPECT_EQ(figures.running, 3);
  EXPECT_EQ(figures.waiting, 2);
  EXPECT_EQ(figures.kv_usage, 0.25);
  EXPECT_EQ(figures.cache_tokens, 16'000);
}

TEST(EngineMetrics, TheOldNameOfTheUsageCountsOnlyWithoutTheNewOne) {
  EXPECT_EQ(read_engine_figures("vllm:gpu_cache_usage_perc{} 0.5\n").kv_usage, 0.5);
  EXPECT_EQ(read_engine_figures("vllm:gpu_cache_usage_perc 0.5\nvllm:kv_cache_usage_perc 0.75\n")
                .kv_usage,
            0.75);
}

TEST(EngineMetrics, CoresOfOneEngineAreAddedAndTheirUsagesAveraged) {
  const auto figures = read_engine_figures(
      "vllm:num_requests_running{engine=\"0\"} 3\nvllm:num_requests_running{engine=\"1\"} 4\n"
      "vllm:kv_cache_usage_perc{engine=\"0\"} 0.2\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.4\n");
  EXPECT_EQ(figures.running, 7);
  EXPECT_DOUBLE_EQ(figures.kv_usage, 0.3);
}

TEST(EngineMetrics, WhatIsNotSaidStaysUnknown) {
  EXPECT_EQ(read_engine_figures(""), EngineFigures{});
  EXPECT_EQ(read_engine_figures("<html>no metrics here</html>\n"), EngineFigures{});
  EXPECT_EQ(read_engine_figures("vllm:num_requests_running{a=\"b\"} NaN\n"), EngineFigures{});
  EXPECT_EQ(read_engine_figures("vllm:num_requests_running -1\n"), EngineFigures{});
  EXPECT_EQ(read_engine_figures("vllm:num_requests_running{a=\"b\"\n"), EngineFigures{});
}

TEST(EngineMetrics, BracesAndQuotesInLabelsDoNotEndThem) {
  EXPECT_EQ(read_engine_figures("vllm:num_requests_running{model_name=\"a}\\\" 9 {\"} 5\n").running,
            5);
  EXPECT_EQ(read_engine_figures("vllm:cache_config_info{cpu_block_size=\"1\",block_size=\"16\","
                                "num_gpu_blocks=\"10\"} 1\n")
                .cache_tokens,
            160);
}

}  // namespace
}  // namespace signalbox::discovery
