// Evaluator::create: the registry of signal kinds. A new kind is a class, a line in compile(), a case in bind(), and a
// case where it is evaluated (evaluator.cc).
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "signals/evaluator.h"

namespace signalbox::signals {
namespace {

using exchange::LeafKind;

// Lingua's customary floor, used where a rule gives none.
constexpr double kLanguageThreshold = 0.3;

template <class Rule>
std::optional<std::uint32_t> index_of(const std::vector<Rule>& rules, std::string_view name) {
  const auto at = std::find_if(rules.begin(), rules.end(),
                               [name](const Rule& rule) { return rule.name == name; });
  if (at == rules.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - rules.begin());
}

// "zh-CN" and "ZH" ask for "zh".
std::string language_code(std::string_view name) {
  return to_lower(name.substr(0, name.find_first_of("-_")));
}

}  // namespace

Settings settings_of(const config::Config& config) {
  return {.domain_threshold = config.domain_threshold,
          .domain_fallback_category = config.domain_fallback_category,
          .task_kind_threshold = config.own.task_kind_threshold,
          .metadata_headers = config.own.metadata_headers};
}

Result<void> Evaluator::compile(const config::Signals& signals, const Models& models,
                                const Settings& settings) {
  encoder_ = models.encoder;
  heads_ = HeadRules(models.encoder);
  SBX_CHECK_OK(heads_.compile_examples(signals));
  task_kind_threshold_ = settings.task_kind_threshold;
  language_model_ = models.language;
  metadata_ = MetadataRules(signals.metadata, settings.metadata_headers);
  contexts_ = Contexts(signals.contexts);
  pii_ = PiiRules(signals.pii);
  domains_ = Domains(signals.domains, static_cast<float>(settings.domain_threshold),
                     settings.domain_fallback_category);
  SBX_TRY(roles_, RoleBindings::compile(signals.role_bindings));
  SBX_TRY(conversations_, Conversations::compile(signals.conversations));
  SBX_TRY(structures_, Structures::compile(signals.structures));
  SBX_TRY(keywords_, Keywords::compile(signals.keywords));
  SBX_TRY(domain_keywords_, DomainKeywords::compile());
  SBX_TRY(embeddings_, Embeddings::compile(signals.embeddings, models.encoder));
  for (const config::LanguageRule& rule : signals.languages)
    languages_.push_back(language_code(rule.name));
  return {};
}

Result<void> Evaluator::embed_prototypes(const encoder::Encoder& encoder) {
  encoder::Workspace workspace;
  std::vector<std::vector<float>> prototypes;
  for (const std::string_view label : encoder::Encoder::domain_labels()) {
    const std::string text = fmt::format("{}: {}", label, DomainKeywords::words(label));
    auto analysis = encoder.analyze(text, encoder::Demand::kEmbedding, workspace);
    if (analysis.failed()) return std::unexpected(*std::move(analysis.error));
    prototypes.push_back(std::move(analysis.embedding));
  }
  domains_.set_prototypes(std::move(prototypes));
  return {};
}

Result<Evaluator::Slot> Evaluator::bind(const exchange::Leaf& leaf,
                                        const config::Signals& signals) {
  Slot slot{.kind = leaf.kind};
  std::optional<std::uint32_t> rule;
  switch (leaf.kind) {
    case LeafKind::kMetadata:
      rule = index_of(signals.metadata, leaf.name);
      break;
    case LeafKind::kAuthz:
      rule = roles_.find(leaf.name);
      break;
    case LeafKind::kConversation:
      rule = index_of(signals.conversations, leaf.name);
      break;
    case LeafKind::kContext:
      rule = index_of(signals.contexts, leaf.name);
      break;
    case LeafKind::kStructure:
      rule = index_of(signals.structures, leaf.name);
      break;
    case LeafKind::kKeyword:
      rule = index_of(signals.keywords, leaf.name);
      break;
    case LeafKind::kUnsupported:
      rule = 0;
      break;
    case LeafKind::kDomain:
      rule = domains_.find_or_add(leaf.name);
      slot.threshold = domains_.threshold();
      break;
    case LeafKind::kEmbedding:
      rule = index_of(signals.embeddings, leaf.name);
      if (rule) slot.threshold = signals.embeddings[*rule].threshold;
      break;
    case LeafKind::kPii:
      rule = index_of(signals.pii, leaf.name);
      if (rule && pii_.threshold(*rule) > 0) slot.threshold = pii_.threshold(*rule);
      break;
    case LeafKind::kJailbreak:
    case LeafKind::kComplexity:
    case LeafKind::kFactCheck:
    case LeafKind::kUserFeedback:
    case LeafKind::kTaskKind:
      rule = heads_.bind(leaf, signals, task_kind_threshold_);
      if (rule) slot.threshold = heads_.threshold(*rule);
      break;
    case LeafKind::kLanguage: {
      rule = index_of(signals.languages, leaf.name);
      const double asked = rule ? signals.languages[*rule].threshold : 0;
      slot.threshold = asked > 0 ? asked : kLanguageThreshold;
      if (!rule) {
        rule = static_cast<std::uint32_t>(languages_.size());
        languages_.push_back(language_code(leaf.name));
      }
      break;
    }
  }
  if (!rule)
    return fail(Code::kConfig,
                fmt::format("a rule names {} '{}', which is not defined", leaf.type, leaf.name));
  slot.rule = *rule;
  return slot;
}

Result<std::unique_ptr<Evaluator>> Evaluator::create(const config::Signals& signals,
                                                     std::span<const exchange::Leaf> leaves,
                                                     const Models& models, const Settings& settings,
                                                     const Clock& clock) {
  auto made = std::make_unique<Evaluator>(Key{}, clock);
  SBX_CHECK_OK(made->compile(signals, models, settings));
  for (const exchange::Leaf& leaf : leaves) {
    SBX_TRY(auto slot, made->bind(leaf, signals));
    made->slots_.push_back(slot);
  }
  if (models.encoder != nullptr && !models.encoder->has_domain())
    SBX_CHECK_OK(made->embed_prototypes(*models.encoder));
  return made;
}

}  // namespace signalbox::signals
