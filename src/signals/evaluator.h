// The signals stage: evaluates leaves of rule trees by index. Cheap leaves (headers, text) at once on the caller's thread;
// encoder leaves through the compute pool, all of a request with one tokenisation and one pass.
//
// Degradation of "domain": encoder head -> nearest description embedding (base model without a head) -> keywords (no
// encoder, queue full or deadline passed) -> default (no keyword either: the leaf fails, its rule's on_error decides).
// Signals::rung says which one answered. "embedding" leaves and those of trained heads (head_rules.h) have no lower rung:
// they fail. The encoder is English: a text that is surely in another language goes to keywords or default as well, and
// Signals::foreign says so.
//
// An Evaluator belongs to one configuration snapshot, is immutable but for a pool of scan buffers, and serves all threads.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/model.h"
#include "encoder/encoder.h"
#include "encoder/pool.h"
#include "exchange/exchange.h"
#include "exchange/leaf.h"
#include "net/loop.h"
#include "signals/authz.h"
#include "signals/context.h"
#include "signals/conversation.h"
#include "signals/domain.h"
#include "signals/domain_keywords.h"
#include "signals/embedding.h"
#include "signals/head_rules.h"
#include "signals/inputs.h"
#include "signals/keyword.h"
#include "signals/language_model.h"
#include "signals/literal_matcher.h"
#include "signals/metadata.h"
#include "signals/pii.h"
#include "signals/structure.h"

namespace signalbox::signals {

// What the stage leans on; everything may be null and must outlive the Evaluator.
struct Models {
  const encoder::Encoder* encoder = nullptr;  // null: domain by keywords, embedding fails
  const LanguageModel* language = nullptr;    // null: language fails
};

// Settings from outside `routing.signals`.
struct Settings {
  double domain_threshold = 0;
  std::string domain_fallback_category;
  double task_kind_threshold = 0;
  std::vector<std::string> metadata_headers;
};
Settings settings_of(const config::Config& config);

// How encoder leaves are run.
struct Encoding {
  net::Loop& loop;
  encoder::Pool* pool = nullptr;  // null: straight down the ladder
  Deadline deadline =
      Deadline::none();        // signalbox.encoder.deadline from now, or the request's if sooner
  bool want_category = false;  // judge the domain even if no domain leaf is demanded
};

class Evaluator {
  // Makes the constructor create()'s own.
  class Key {
    friend class Evaluator;
    Key() = default;
  };

 public:
  Evaluator(Key, const Clock& clock) : clock_(clock) {}
  // Binds each leaf to its rule and compiles what rules need: scan databases, patterns, candidate embeddings.
  // Errors: kConfig naming the rule or the undefined signal, kUnsupported (CPU), the encoder's own.
  static Result<std::unique_ptr<Evaluator>> create(const config::Signals& signals,
                                                   std::span<const exchange::Leaf> leaves,
                                                   const Models& models, const Settings& settings,
                                                   const Clock& clock = system_clock());
  ~Evaluator();

  // Leaves of tiers kHeaders and kText. `values` and `out.kinds` are filled; never blocks; linear in the text.
  // Leaves of the encoder tier among `leaves` are left alone.
  void evaluate(std::span<const std::uint32_t> leaves, const Inputs& inputs,
                std::span<exchange::SignalValue> values, exchange::Signals& out) const;

  // Leaves of tier kEncoder; others are left alone. Waits for the pool at most until the deadline. Inputs, values and out
  // must stay in place until the task is done.
  net::Task<void> evaluate_encoder(std::span<const std::uint32_t> leaves, Inputs inputs,
                                   std::span<exchange::SignalValue> values, exchange::Signals& out,
                                   Encoding encoding) const;

  // The parts of evaluate_encoder(), for tools that run the encoder themselves.
  encoder::Demand encoder_demand(std::span<const std::uint32_t> leaves, bool want_category) const;
  void apply(const encoder::Analysis& analysis, std::span<const std::uint32_t> leaves,
             const Inputs& inputs, std::span<exchange::SignalValue> values,
             exchange::Signals& out) const;
  // No analysis to be had: keywords, then default.
  void degrade(std::span<const std::uint32_t> leaves, const Inputs& inputs,
               std::span<exchange::SignalValue> values, exchange::Signals& out) const;

  // What a leaf's confidence has to reach, for explanations; nothing where the kind has no threshold.
  std::optional<double> threshold(std::uint32_t leaf) const { return slots_[leaf].threshold; }
  // Keyword rules whose method is only approximated by whole-word search.
  std::span<const std::string> approximated_keyword_rules() const {
    return keywords_.approximated();
  }

 private:
  // Where a leaf's rule is.
  struct Slot {
    exchange::LeafKind kind = exchange::LeafKind::kUnsupported;
    std::uint32_t rule = 0;
    std::optional<double> threshold;
  };
  class Lease;
  class KindTimer;
  Result<void> compile(const config::Signals& signals, const Models& models,
                       const Settings& settings);
  Result<void> embed_prototypes(const encoder::Encoder& encoder);
  Result<Slot> bind(const exchange::Leaf& leaf, const config::Signals& signals);
  Result<void> prepare(Scratch& scratch) const;
  exchange::SignalValue evaluate_fact(const Slot& slot, const Inputs& inputs) const;
  void evaluate_languages(std::span<const std::uint32_t> leaves, std::string_view text,
                          std::span<exchange::SignalValue> values, exchange::Signals& out) const;
  bool surely_foreign(std::string_view text) const;
  DomainVerdict judge_keywords(std::string_view text) const;
  // Null where the encoder was not asked or had no answer.
  void settle_pii(std::span<const std::uint32_t> leaves, const encoder::Analysis* prompt,
                  const encoder::Analysis* history, const Inputs& inputs,
                  std::span<exchange::SignalValue> values) const;
  bool wants_history(std::span<const std::uint32_t> leaves) const;
  // What has to be known of earlier messages.
  encoder::Demand history_demand(std::span<const std::uint32_t> leaves) const;
  void settle_head_history(std::span<const std::uint32_t> leaves, const encoder::Analysis* history,
                           const Inputs& inputs, std::span<exchange::SignalValue> values,
                           bool foreign) const;
  net::Task<void> evaluate_history(std::span<const std::uint32_t> leaves, Inputs inputs,
                                   const encoder::Analysis* prompt,
                                   std::span<exchange::SignalValue> values, exchange::Signals& out,
                                   Encoding encoding) const;
  static net::Task<std::optional<encoder::Analysis>> ask(std::string text, encoder::Demand demand,
                                                         Encoding encoding);
  void settle(std::span<const std::uint32_t> leaves, const DomainVerdict& verdict,
              const encoder::Analysis& analysis, const Inputs& inputs,
              std::span<exchange::SignalValue> values, exchange::Signals& out) const;

  const Clock& clock_;
  std::vector<Slot> slots_;  // by leaf
  Keywords keywords_;
  Structures structures_;
  Contexts contexts_;
  PiiRules pii_;
  Conversations conversations_;
  MetadataRules metadata_;
  RoleBindings roles_;
  std::vector<std::string> languages_;  // by rule: ISO 639-1 code
  Domains domains_;
  DomainKeywords domain_keywords_;
  Embeddings embeddings_;
  HeadRules heads_;
  double task_kind_threshold_ = 0;
  const encoder::Encoder* encoder_ = nullptr;
  const LanguageModel* language_model_ = nullptr;

  mutable std::mutex scratches_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>>
      scratches_;  // idle ones; at most one per thread that ever scanned
};

}  // namespace signalbox::signals
