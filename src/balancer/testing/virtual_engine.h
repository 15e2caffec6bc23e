// An inference engine in virtual time: what routing can influence of one, and nothing else. Continuous batching with chunked
// prefill in order of arrival, and a paged prefix cache that evicts the block unused longest. The cost model is that of the
// engines in the benchmark rig, so a scenario that takes minutes there takes milliseconds here and is the same every time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"

namespace signalbox::balancer::testing {

// Things that happen at moments; run() makes them happen in order.
class Timeline {
 public:
  TimePoint now() const { return now_; }
  void at(TimePoint when, std::function<void()> what);
  void after(double seconds, std::function<void()> what);
  void run_until(TimePoint end);

 private:
  struct Event {
    TimePoint when;
    std::uint64_t number;  // of equals, the first that was planned
    std::function<void()> what;
  };
  static bool later(const Event& a, const Event& b);
  std::vector<Event> events_;  // a heap
  std::uint64_t planned_ = 0;
  TimePoint now_ = TimePoint{} + std::chrono::hours(1);
};

struct EngineModel {
  int block_tokens = 16;
  int token_bytes = 4;
  int blocks = 8192;
  int running_max = 64;
  int step_tokens = 2048;
  double step_seconds = 0.008;
  double decode_seconds = 50e-6;
  double prefill_rate = 20'000;
};

struct Generation {
  std::string text;  // of the prompt
  int output_tokens = 1;
  std::function<void()> first_token;
  std::function<void()> done;
};

class VirtualEngine {
 public:
  VirtualEngine(Timeline& timeline, EngineModel model) : timeline_(timeline), model_(model) {}
  void submit(Generation generation);

  struct Counters {
    std::int64_t queried = 0;  // prompt tokens
    std::int64_t hits = 0;     // of them, found in the cache
    std::int64_t requests = 0;
  };
  const Counters& counters() const { return counters_; }
  int running() const { return static_cast<int>(running_.size()); }
  int waiting() const { return static_cast<int>(waiting_.size()); }

 private:
  struct Block {
    int users = 0;
    std::list<std::uint64_t>::iterator idle;  // valid while nobody uses it
  };
  struct Active {
    Generation generation;
    std::vector<std::uint64_t> blocks;
    int reserved = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t to_compute = 0;
    int made = 0;
  };
  std::vector<std::uint64_t> block_names(std::string_view text) const;
  bool acquire(Active& active);
  void release(Active& active);
  void shrink();
  void admit();
  double plan();
  void begin_step();
  void end_step();

  Timeline& timeline_;
  EngineModel model_;
  std::unordered_map<std::uint64_t, Block> cache_;
  std::list<std::uint64_t> idle_;  // unused longest in front
  int reserved_ = 0;
  std::deque<std::unique_ptr<Active>> waiting_;
  std::vector<std::unique_ptr<Active>> running_;
  bool stepping_ = false;
  Counters counters_;
};

}  // namespace signalbox::balancer::testing
