// Stages 4 and 5 together: which decision wins. The decision stage says which leaves it still needs, the signals stage
// evaluates them, cheapest tier first, until the winner and its confidence can no longer change.
#pragma once

#include <memory>
#include <vector>

#include "decision/program.h"
#include "exchange/exchange.h"
#include "net/task.h"
#include "pipeline/snapshot.h"

namespace signalbox::pipeline {

// Reusable decision states of one core, so that deciding allocates nothing in steady state. A state fits any
// program once reset, so reloads and recipes need no care.
class StatePool {
 public:
  class Lease {
   public:
    Lease(StatePool& pool, const decision::Program& program);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    decision::State& state() { return *state_; }

   private:
    StatePool& pool_;
    std::unique_ptr<decision::State> state_;
  };

 private:
  std::vector<std::unique_ptr<decision::State>> idle_;
};

struct Understanding {
  const Routing& routing;
  net::Loop& loop;
  encoder::Pool* encoder_pool = nullptr;  // nullptr: down the ladder
  Duration encoder_deadline{};
  bool exhaustive = false;     // every leaf: explain and eval
  bool want_category = false;  // a header shows it
};

// Fills exchange.signals and exchange.decision (automatic = true). `state` holds the leaf values afterwards.
net::Task<void> understand(exchange::Exchange* exchange, Understanding understanding,
                           decision::State* state);

}  // namespace signalbox::pipeline
