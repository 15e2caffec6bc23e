// ./dev bench decide [--json]: the decision engine alone. Time and allocations per request of demand() and decide() for
// the shape of the published configuration (15 decisions, 15 leaves) with all signals known, for a whole lazy run, and
// for a thousand decisions. Rival: the figures its authors publish for their engine (12.7 to 18.8 us, 40 to 76
// allocations a decision); the kinder end of each is used.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string_view>

#include "decision/program.h"
#include "decision/testing.h"

namespace {

// Counts what operator new hands out anywhere in this process.
std::atomic<std::uint64_t>& allocation_count() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

}  // namespace

void* operator new(std::size_t size) {
  allocation_count().fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace signalbox::decision {
namespace {

using exchange::SignalState;

constexpr double kUpstreamNanoseconds = 12'700;
constexpr double kUpstreamAllocations = 40;
constexpr int kRounds = 15;  // the median counts

struct Figures {
  double nanoseconds = 0;
  double allocations = 0;
};

// `run` is one request; returns something so that it is not optimised away.
template <class Run>
Figures measure(int iterations, Run run) {
  std::vector<double> rounds;
  volatile std::size_t sink = 0;
  for (int i = 0; i < iterations; ++i) sink = sink + run();
  const std::uint64_t allocated = allocation_count().load();
  for (int i = 0; i < iterations; ++i) sink = sink + run();
  const auto per_run = static_cast<double>(allocation_count().load() - allocated) / iterations;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < iterations; ++i) sink = sink + run();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    rounds.push_back(spent.count() / iterations);
  }
  std::sort(rounds.begin(), rounds.end());
  return {rounds[rounds.size() / 2], per_run};
}

config::Routing published_shape() {
  config::Routing routing;
  const auto add = [&routing](std::string name, int priority, std::string_view rule) {
    config::Decision decision;
    decision.name = std::move(name);
    decision.priority = priority;
    decision.rules = testing::rule(rule);
    routing.decisions.push_back(std::move(decision));
  };
  for (const std::string_view domain :
       {"business", "law", "psychology", "biology", "chemistry", "history", "health", "economics",
        "math", "physics", "computer science", "philosophy", "engineering"}) {
    add(fmt::format("{}_decision", domain), 10, fmt::format("OR(domain:{})", domain));
  }
  add("thinking_decision", 20, "OR(keyword:thinking)");
  add("general_decision", 1, "OR(domain:other)");
  return routing;
}

config::Routing thousand_decisions() {
  config::Routing routing;
  for (int i = 0; i < 1000; ++i) {
    config::Decision decision;
    decision.name = fmt::format("decision{}", i);
    decision.priority = i % 50;
    decision.rules = testing::rule(
        fmt::format("AND(keyword:k{}, OR(domain:d{}, language:l{}), NOT(context:c{}))", i % 200,
                    i % 14, i % 20, i % 5));
    routing.decisions.push_back(std::move(decision));
  }
  return routing;
}

// What a request looks like to the engine: one keyword verdict, one domain that is right.
exchange::SignalValue verdict(const exchange::Leaf& leaf, bool keyword) {
  if (leaf.kind == exchange::LeafKind::kKeyword)
    return {keyword ? SignalState::kMatch : SignalState::kNoMatch, 1.0F};
  return {leaf.name == "math" ? SignalState::kMatch : SignalState::kNoMatch, 0.93F};
}

Figures known(const Program& program, bool keyword, int iterations) {
  State state(program);
  for (std::uint32_t i = 0; i < program.leaves().size(); ++i)
    state.set(i, verdict(program.leaves()[i], keyword));
  return measure(iterations, [&] {
    state.values();  // as if just written: nothing known of the last request may be reused
    return program.demand(state, {}).size() + (program.decide(state).decision != nullptr ? 1 : 0);
  });
}

Figures lazy(const Program& program, bool keyword, int iterations) {
  State state(program);
  return measure(iterations, [&] {
    state.reset(program);
    std::size_t evaluated = 0;
    for (auto wanted = program.demand(state, {}); !wanted.empty();
         wanted = program.demand(state, {})) {
      for (const std::uint32_t leaf : wanted)
        state.set(leaf, verdict(program.leaves()[leaf], keyword));
      evaluated += wanted.size();
    }
    return evaluated + (program.decide(state).decision != nullptr ? 1 : 0);
  });
}

void report(bool json, std::string_view name, std::string_view unit, double value, double rival) {
  if (json) {
    fmt::print(
        R"({{"bench":"decide","case":"{}","value":{:.4g},"unit":"{}","against":"upstream-published","against_value":{},"ratio":{:.4g}}})"
        "\n",
        name, value, unit, rival, value / rival);
  } else {
    fmt::print("{:<36} {:>10.4g} {:<14} upstream-published {:>8}  ratio {:.4f}\n", name, value,
               unit, rival, value / rival);
  }
}

void report(bool json, std::string_view name, const Figures& figures) {
  report(json, fmt::format("time/{}", name), "ns", figures.nanoseconds, kUpstreamNanoseconds);
  report(json, fmt::format("allocations/{}", name), "allocations", figures.allocations,
         kUpstreamAllocations);
}

int run(bool json) {
  const config::Routing published = published_shape();
  const config::Routing thousand = thousand_decisions();
  const auto small = Program::compile(published);
  const auto large = Program::compile(thousand);
  if (!small || !large) return 1;
  report(json, "known/published/domain", known(*small, false, 20'000));
  report(json, "known/published/keyword", known(*small, true, 20'000));
  report(json, "lazy/published/domain", lazy(*small, false, 20'000));
  report(json, "lazy/published/keyword", lazy(*small, true, 20'000));
  report(json, "lazy/1000-decisions", lazy(*large, true, 500));
  return 0;
}

}  // namespace
}  // namespace signalbox::decision

int main(int argc, char** argv) {
  return signalbox::decision::run(argc > 1 && std::string_view(argv[1]) == "--json");
}
