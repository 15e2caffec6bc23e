#include "signals/evaluator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "encoder/entity_reader.h"
#include "encoder/token_head.h"

namespace signalbox::signals {

using exchange::LeafKind;

namespace {

// A wrong "foreign" costs an English prompt its verdict, a missed one only the caution: so it must be sure, and a few words
// are not enough.
constexpr float kForeignConfidence = 0.9F;
constexpr std::size_t kForeignBytesMin = 20;
constexpr std::string_view kEncoderLanguage = "en";

}  // namespace

// Borrows a prepared scratch for one scan; an evaluation never waits, so threads never hold more than one each.
class Evaluator::Lease {
 public:
  explicit Lease(const Evaluator& owner) : owner_(owner) {
    {
      const std::lock_guard lock(owner_.scratches_mutex_);
      if (!owner_.scratches_.empty()) {
        scratch_ = std::move(owner_.scratches_.back());
        owner_.scratches_.pop_back();
      }
    }
    if (scratch_) return;
    scratch_ = std::make_unique<Scratch>();
    if (!owner_.prepare(*scratch_)) scratch_.reset();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (!scratch_) return;
    scratch_->reset();
    const std::lock_guard lock(owner_.scratches_mutex_);
    owner_.scratches_.push_back(std::move(scratch_));
  }
  // Null when there is no memory for one.
  Scratch* get() const { return scratch_.get(); }

 private:
  const Evaluator& owner_;
  std::unique_ptr<Scratch> scratch_;
};

// Adds the time from construction to destruction to one kind's account.
class Evaluator::KindTimer {
 public:
  KindTimer(const Clock& clock, exchange::Signals& out, LeafKind kind, std::size_t leaves)
      : clock_(clock), cost_(out.kinds[static_cast<std::size_t>(kind)]), start_(clock.now()) {
    cost_.leaves += static_cast<std::uint32_t>(leaves);
  }
  KindTimer(const KindTimer&) = delete;
  KindTimer& operator=(const KindTimer&) = delete;
  ~KindTimer() { cost_.time += clock_.now() - start_; }

 private:
  const Clock& clock_;
  exchange::KindCost& cost_;
  TimePoint start_;
};

Evaluator::~Evaluator() = default;

Result<void> Evaluator::prepare(Scratch& scratch) const {
  SBX_CHECK_OK(scratch.prepare(keywords_.matcher()));
  SBX_CHECK_OK(scratch.prepare(domain_keywords_.matcher()));
  return structures_.prepare(scratch);
}

exchange::SignalValue Evaluator::evaluate_fact(const Slot& slot, const Inputs& inputs) const {
  switch (slot.kind) {
    case LeafKind::kMetadata:
      return metadata_.evaluate(slot.rule, inputs);
    case LeafKind::kAuthz:
      return roles_.evaluate(slot.rule, inputs);
    case LeafKind::kConversation:
      return conversations_.evaluate(slot.rule, inputs);
    case LeafKind::kContext:
      return contexts_.evaluate(slot.rule, inputs);
    default:
      return failed();
  }
}

void Evaluator::evaluate_languages(std::span<const std::uint32_t> leaves, std::string_view text,
                                   std::span<exchange::SignalValue> values,
                                   exchange::Signals& out) const {
  if (language_model_ == nullptr) {
    for (const std::uint32_t leaf : leaves) values[leaf] = failed();
    return;
  }
  const LanguageGuess guess = language_model_->detect(text);
  out.language = guess.code;
  for (const std::uint32_t leaf : leaves) {
    const Slot& slot = slots_[leaf];
    const bool same = !guess.code.empty() && languages_[slot.rule] == guess.code;
    const bool sure = guess.confidence >= static_cast<float>(slot.threshold.value_or(0));
    values[leaf] = matched(same && sure, same ? guess.confidence : 0.0F);
  }
}

void Evaluator::evaluate(std::span<const std::uint32_t> leaves, const Inputs& inputs,
                         std::span<exchange::SignalValue> values, exchange::Signals& out) const {
  const std::string_view text = inputs.request.user_text;
  std::array<std::vector<std::uint32_t>, exchange::kLeafKindCount> by_kind;
  for (const std::uint32_t leaf : leaves)
    by_kind[static_cast<std::size_t>(slots_[leaf].kind)].push_back(leaf);
  const Lease lease(*this);
  for (std::size_t i = 0; i < by_kind.size(); ++i) {
    const auto kind = static_cast<LeafKind>(i);
    const auto& wanted = by_kind[i];
    if (wanted.empty() || exchange::cost_tier(kind) == exchange::CostTier::kEncoder) continue;
    const KindTimer timer(clock_, out, kind, wanted.size());
    if (kind == LeafKind::kLanguage) {
      evaluate_languages(wanted, text, values, out);
    } else if (kind == LeafKind::kKeyword && lease.get() != nullptr) {
      std::vector<Wanted> rules;
      for (const std::uint32_t leaf : wanted) rules.push_back({slots_[leaf].rule, &values[leaf]});
      keywords_.evaluate(rules, text, *lease.get());
    } else if (kind == LeafKind::kStructure && lease.get() != nullptr) {
      for (const std::uint32_t leaf : wanted) {
        values[leaf] = structures_.evaluate(slots_[leaf].rule, text, *lease.get());
      }
    } else {
      for (const std::uint32_t leaf : wanted) values[leaf] = evaluate_fact(slots_[leaf], inputs);
    }
  }
}

namespace {

bool sees_names(const encoder::Encoder* encoder) {
  return encoder != nullptr && encoder->finds_names();
}

}  // namespace

encoder::Demand Evaluator::encoder_demand(std::span<const std::uint32_t> leaves,
                                          bool want_category) const {
  auto demand = encoder::Demand::kNone;
  bool domain = want_category;
  for (const std::uint32_t leaf : leaves) {
    if (slots_[leaf].kind == LeafKind::kEmbedding) demand |= encoder::Demand::kEmbedding;
    if (slots_[leaf].kind == LeafKind::kDomain) domain = true;
    if (slots_[leaf].kind == LeafKind::kPii && sees_names(encoder_))
      demand |= encoder::Demand::kPii;
    if (task_of(slots_[leaf].kind)) demand |= heads_.demand(slots_[leaf].rule);
  }
  if (!domain || encoder_ == nullptr) return demand;
  if (encoder_->has_domain()) return demand | encoder::Demand::kDomain;
  return domains_.has_prototypes() ? demand | encoder::Demand::kEmbedding : demand;
}

bool Evaluator::surely_foreign(std::string_view text) const {
  if (language_model_ == nullptr || text.size() < kForeignBytesMin) return false;
  const LanguageGuess guess = language_model_->detect(text);
  return !guess.code.empty() && guess.code != kEncoderLanguage &&
         guess.confidence >= kForeignConfidence;
}

void Evaluator::settle(std::span<const std::uint32_t> leaves, const DomainVerdict& verdict,
                       const encoder::Analysis& analysis, const Inputs& inputs,
                       std::span<exchange::SignalValue> values, exchange::Signals& out) const {
  if (verdict.rung != exchange::Rung::kNone) {
    out.category = verdict.category;
    out.category_confidence = verdict.confidence;
    out.rung = verdict.rung;
  }
  for (const std::uint32_t leaf : leaves) {
    const Slot& slot = slots_[leaf];
    if (slot.kind == LeafKind::kDomain) values[leaf] = domains_.evaluate(slot.rule, verdict);
    if (slot.kind == LeafKind::kEmbedding)
      values[leaf] = embeddings_.evaluate(slot.rule, analysis.embedding);
    if (task_of(slot.kind))
      values[leaf] = heads_.evaluate(slot.rule, analysis, inputs, out.foreign);
  }
}

void Evaluator::apply(const encoder::Analysis& analysis, std::span<const std::uint32_t> leaves,
                      const Inputs& inputs, std::span<exchange::SignalValue> values,
                      exchange::Signals& out) const {
  if (analysis.failed()) return degrade(leaves, inputs, values, out);
  out.encoder_passes += static_cast<std::uint32_t>(analysis.passes);
  out.tokens_seen = static_cast<std::uint32_t>(analysis.tokens_seen);
  out.tokens_total = static_cast<std::uint32_t>(analysis.tokens_total);
  out.foreign = surely_foreign(inputs.request.user_text);
  DomainVerdict verdict;
  const auto domain = analysis.of(encoder::Task::kDomain);
  const bool by_prototypes = !analysis.embedding.empty() && domains_.has_prototypes();
  if (out.foreign && (!domain.empty() || by_prototypes)) {
    verdict = judge_keywords(inputs.request.user_text);
  } else if (!domain.empty()) {
    verdict = domains_.judge(domain, exchange::Rung::kEncoder);
  } else if (by_prototypes) {
    verdict = domains_.judge(domains_.compare(analysis.embedding), exchange::Rung::kEmbedding);
  }
  settle(leaves, verdict, analysis, inputs, values, out);
  settle_pii(leaves, &analysis, nullptr, inputs, values);
}

bool Evaluator::wants_history(std::span<const std::uint32_t> leaves) const {
  return std::ranges::any_of(leaves, [this](std::uint32_t leaf) {
    return slots_[leaf].kind == LeafKind::kPii && pii_.wants_history(slots_[leaf].rule);
  });
}

encoder::Demand Evaluator::history_demand(std::span<const std::uint32_t> leaves) const {
  auto demand = wants_history(leaves) && sees_names(encoder_) ? encoder::Demand::kPii
                                                              : encoder::Demand::kNone;
  for (const std::uint32_t leaf : leaves) {
    const Slot& slot = slots_[leaf];
    if (task_of(slot.kind) && heads_.wants_history(slot.rule)) demand |= heads_.demand(slot.rule);
  }
  return demand;
}

// A match in earlier messages is one; without an answer about them nobody can say that there is none.
void Evaluator::settle_head_history(std::span<const std::uint32_t> leaves,
                                    const encoder::Analysis* history, const Inputs& inputs,
                                    std::span<exchange::SignalValue> values, bool foreign) const {
  for (const std::uint32_t leaf : leaves) {
    const Slot& slot = slots_[leaf];
    if (!task_of(slot.kind) || !heads_.wants_history(slot.rule)) continue;
    if (values[leaf].state == exchange::SignalState::kMatch) continue;
    const auto earlier =
        history != nullptr ? heads_.evaluate(slot.rule, *history, inputs, foreign) : failed();
    if (earlier.state != exchange::SignalState::kNoMatch) values[leaf] = earlier;
  }
}

void Evaluator::settle_pii(std::span<const std::uint32_t> leaves, const encoder::Analysis* prompt,
                           const encoder::Analysis* history, const Inputs& inputs,
                           std::span<exchange::SignalValue> values) const {
  const auto is_pii = [this](std::uint32_t leaf) { return slots_[leaf].kind == LeafKind::kPii; };
  if (std::ranges::none_of(leaves, is_pii)) return;
  PiiRules::Found found;
  found.names_seen = sees_names(encoder_) && prompt != nullptr;
  found.prompt =
      found.names_seen ? prompt->entities : encoder::identifiers_of(inputs.request.user_text);
  if (wants_history(leaves)) {
    const std::string earlier = history_text(inputs.request);
    found.history_names_seen = history != nullptr || earlier.empty();
    found.history = history != nullptr ? history->entities : encoder::identifiers_of(earlier);
  }
  for (const std::uint32_t leaf : leaves) {
    if (is_pii(leaf)) values[leaf] = pii_.evaluate(slots_[leaf].rule, found);
  }
}

DomainVerdict Evaluator::judge_keywords(std::string_view text) const {
  const Lease lease(*this);
  if (lease.get() == nullptr) return {.rung = exchange::Rung::kDefault};
  const auto guess = domain_keywords_.guess(text, *lease.get());
  if (!guess) return {.rung = exchange::Rung::kDefault};
  return {encoder::Encoder::domain_labels()[guess->label], guess->confidence,
          exchange::Rung::kKeyword};
}

void Evaluator::degrade(std::span<const std::uint32_t> leaves, const Inputs& inputs,
                        std::span<exchange::SignalValue> values, exchange::Signals& out) const {
  settle(leaves, judge_keywords(inputs.request.user_text), {}, inputs, values, out);
  settle_pii(leaves, nullptr, nullptr, inputs, values);
}

net::Task<std::optional<encoder::Analysis>> Evaluator::ask(std::string text, encoder::Demand demand,
                                                           Encoding encoding) {
  if (encoding.pool == nullptr || demand == encoder::Demand::kNone) co_return std::nullopt;
  const net::OneShot<encoder::Analysis> answer(encoding.loop);
  const bool accepted = encoding.pool->submit(
      std::move(text), demand, [answer](encoder::Analysis done) { answer.set(std::move(done)); },
      encoding.deadline);
  if (!accepted) co_return std::nullopt;
  co_return co_await answer.wait(encoding.deadline);
}

// Earlier messages are another text, so they cost passes of their own, and only where a rule asks.
net::Task<void> Evaluator::evaluate_history(std::span<const std::uint32_t> leaves, Inputs inputs,
                                            const encoder::Analysis* prompt,
                                            std::span<exchange::SignalValue> values,
                                            exchange::Signals& out, Encoding encoding) const {
  const encoder::Demand demand = history_demand(leaves);
  if (demand == encoder::Demand::kNone) co_return;
  std::string text = history_text(inputs.request);
  if (text.empty()) co_return;
  const auto history = co_await ask(std::move(text), demand, encoding);
  const bool read = history && !history->failed();
  const encoder::Analysis* found = read ? &*history : nullptr;
  if (wants_history(leaves) && sees_names(encoder_)) {
    const bool answered = prompt != nullptr && !prompt->failed();
    settle_pii(leaves, answered ? prompt : nullptr, found, inputs, values);
  }
  settle_head_history(leaves, found, inputs, values, out.foreign);
  if (read) out.encoder_passes += static_cast<std::uint32_t>(history->passes);
}

net::Task<void> Evaluator::evaluate_encoder(std::span<const std::uint32_t> leaves, Inputs inputs,
                                            std::span<exchange::SignalValue> values,
                                            exchange::Signals& out, Encoding encoding) const {
  const TimePoint start = clock_.now();
  const encoder::Demand demand = encoder_demand(leaves, encoding.want_category);
  const auto analysis = co_await ask(std::string(inputs.request.user_text), demand, encoding);
  if (analysis) {
    apply(*analysis, leaves, inputs, values, out);
  } else {
    degrade(leaves, inputs, values, out);
  }
  co_await evaluate_history(leaves, inputs, analysis ? &*analysis : nullptr, values, out, encoding);
  const Duration spent = clock_.now() - start;
  out.encoder_time += spent;
  // One pass answered all of them; each kind that took part is charged the whole wait.
  for (std::size_t i = 0; i < exchange::kLeafKindCount; ++i) {
    const auto kind = static_cast<LeafKind>(i);
    if (exchange::cost_tier(kind) != exchange::CostTier::kEncoder) continue;
    const auto count =
        std::count_if(leaves.begin(), leaves.end(),
                      [this, kind](std::uint32_t leaf) { return slots_[leaf].kind == kind; });
    if (count == 0) continue;
    auto& cost = out.kinds[static_cast<std::size_t>(kind)];
    cost.leaves += static_cast<std::uint32_t>(count);
    cost.time += spent;
  }
}

}  // namespace signalbox::signals
