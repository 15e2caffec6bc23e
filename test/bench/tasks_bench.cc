// The encoder with every task on, for test/bench/encoder.py: a line of JSON for each case.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "encoder/encoder.h"
#include "encoder/locate.h"

namespace signalbox::bench {
namespace {

using encoder::Demand;
using encoder::Encoder;

// 64 tokens with [CLS] and [SEP].
constexpr const char* kPrompt =
    "A farmer has a rectangular field whose length is three times its width and whose perimeter is "
    "four hundred metres. He wants to divide it into two equal parts by a fence that runs parallel "
    "to the shorter side. How many metres of fence does he need, and what is the area of each part "
    "in square metres? Please write.";

Demand everything() {
  Demand demand = Demand::kEmbedding | Demand::kPii;
  for (const encoder::Task task : encoder::kTasks) demand |= encoder::demand_of(task);
  return demand;
}

// Of this thread, which other programs disturb less than wall time.
double cpu_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double median_of(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

double milliseconds(const Encoder& encoder, Demand demand) {
  constexpr int kCalls = 101;
  encoder::Workspace workspace;
  encoder.analyze(kPrompt, demand, workspace);
  std::vector<double> times;
  for (int i = 0; i < kCalls; ++i) {
    const double start = cpu_milliseconds();
    encoder.analyze(kPrompt, demand, workspace);
    times.push_back(cpu_milliseconds() - start);
  }
  return median_of(std::move(times));
}

// Prompts a second of two threads, each with its own.
double throughput(const Encoder& encoder, Demand demand) {
  constexpr int kCalls = 200;
  constexpr std::size_t kThreads = 2;
  std::latch ready(kThreads + 1);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      encoder::Workspace workspace;
      encoder.analyze(kPrompt, demand, workspace);
      ready.arrive_and_wait();
      for (int call = 0; call < kCalls; ++call) encoder.analyze(kPrompt, demand, workspace);
    });
  }
  ready.arrive_and_wait();
  const auto start = std::chrono::steady_clock::now();
  for (auto& thread : threads) thread.join();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return kCalls * static_cast<double>(kThreads) / time.count();
}

void print(const char* name, double value, const char* unit, double goal) {
  fmt::print(
      "{{\"case\":\"{}\",\"value\":{:.5f},\"unit\":\"{}\",\"against\":\"goal\",\"against_value\":{}"
      "}}\n",
      name, value, unit, goal);
}

int run(int cores) {
  const auto directories = encoder::locate();
  const auto start = std::chrono::steady_clock::now();
  const auto encoder = Encoder::load(directories.base, directories.models);
  const std::chrono::duration<double, std::milli> loading =
      std::chrono::steady_clock::now() - start;
  if (!encoder) {
    fmt::print(stderr, "tasks_bench: {}\n", encoder.error().message);
    return 1;
  }
  if (cores > 1) {
    print("tasks/all/1x64/throughput/2cores", throughput(**encoder, everything()), "1/s", 260);
    print("tasks/embedding/1x64/throughput/2cores", throughput(**encoder, Demand::kEmbedding),
          "1/s", 500);
    return 0;
  }
  encoder::Workspace workspace;
  const auto analysis = (*encoder)->analyze(kPrompt, everything(), workspace);
  print("tasks/all/1x64/1core", milliseconds(**encoder, everything()), "ms", 7.5);
  print("tasks/all/1x64/passes", analysis.passes_used, "passes", 1.67);
  print("tasks/all/load", loading.count(), "ms", 500);
  return 0;
}

}  // namespace
}  // namespace signalbox::bench

// tasks_bench [CORES]
int main(int argc, char** argv) { return signalbox::bench::run(argc > 1 ? std::atoi(argv[1]) : 1); }
