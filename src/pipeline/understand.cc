#include "pipeline/understand.h"

#include <utility>

namespace signalbox::pipeline {
namespace {

constexpr std::size_t kIdleStatesMax = 64;

}  // namespace

StatePool::Lease::Lease(StatePool& pool, const decision::Program& program) : pool_(pool) {
  if (pool_.idle_.empty()) {
    state_ = std::make_unique<decision::State>(program);
    return;
  }
  state_ = std::move(pool_.idle_.back());
  pool_.idle_.pop_back();
  state_->reset(program);
}

StatePool::Lease::~Lease() {
  if (pool_.idle_.size() < kIdleStatesMax) pool_.idle_.push_back(std::move(state_));
}

net::Task<void> understand(exchange::Exchange* exchange, Understanding with,
                           decision::State* state) {
  const decision::Program& program = with.routing.program;
  const signals::Evaluator& evaluator = *with.routing.evaluator;
  const signals::Inputs inputs{exchange->client, exchange->identity, exchange->request};
  const signals::Encoding encoding{
      .loop = with.loop,
      .pool = with.encoder_pool,
      .deadline =
          Deadline::after(with.loop.now(), with.encoder_deadline).sooner(exchange->client.deadline),
      .want_category = with.want_category};
  const decision::DemandOptions options{
      .exhaustive = with.exhaustive,
      .kinds = with.want_category ? decision::kind_bit(exchange::LeafKind::kDomain) : 0U,
      .leaves = {}};
  for (auto leaves = program.demand(*state, options); !leaves.empty();
       leaves = program.demand(*state, options)) {
    // demand() returns one tier at a time, so its first leaf speaks for all.
    const auto tier = cost_tier(program.leaves()[leaves.front()].kind);
    if (tier == exchange::CostTier::kEncoder) {
      co_await evaluator.evaluate_encoder(leaves, inputs, state->values(), exchange->signals,
                                          encoding);
    } else {
      evaluator.evaluate(leaves, inputs, state->values(), exchange->signals);
    }
  }
  exchange->decision = program.decide(*state);
  exchange->decision.automatic = true;
  exchange->decision.use_default = exchange->decision.decision == nullptr;
  exchange->signals.leaves.assign(state->values().begin(), state->values().end());
}

}  // namespace signalbox::pipeline
