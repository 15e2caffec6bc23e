#include "encoder/hub_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace signalbox::encoder {
namespace {

constexpr double kThreshold = 0.5;

// Names under which published classifiers report an attack.
constexpr std::array<std::string_view, 8> kAttacks{"jailbreak", "injection", "prompt injection",
                                                   "attack",    "unsafe",    "malicious",
                                                   "harmful",   "toxic"};

// Case, '_' and '-' do not matter.
std::string plain(std::string_view label) {
  std::string out = to_lower(label);
  std::ranges::replace(out, '_', ' ');
  std::ranges::replace(out, '-', ' ');
  return out == "mathematics" ? "math" : out;
}

std::vector<std::string> labels_of(Task task) {
  switch (task) {
    case Task::kDomain: {
      const auto names = domain_label_names();
      return {names.begin(), names.end()};
    }
    case Task::kJailbreak:
      return {"benign", "jailbreak"};
    case Task::kFactCheck:
      return {"NO_FACT_CHECK_NEEDED", "FACT_CHECK_NEEDED"};
    case Task::kFeedback:
      return {"SAT", "NEED_CLARIFICATION", "WRONG_ANSWER", "WANT_DIFFERENT", "NOT_FEEDBACK"};
    default:
      return {};
  }
}

bool detects(Task task) { return task == Task::kJailbreak || task == Task::kFactCheck; }

bool is_attack(const std::string& label, const std::vector<std::string>& positive) {
  const auto same = [&](std::string_view other) { return plain(other) == plain(label); };
  return positive.empty() ? std::ranges::any_of(kAttacks, same)
                          : std::ranges::any_of(positive, same);
}

std::string list(const std::vector<std::string>& labels) {
  return fmt::format("{}", fmt::join(labels, ", "));
}

}  // namespace

Result<HubModel> HubModel::load(const HubTask& wanted) {
  HubModel made;
  made.task_ = wanted.task;
  made.threshold_ = wanted.threshold > 0 ? wanted.threshold : kThreshold;
  SBX_TRY(made.model_,
          ClassifierModel::load(wanted.directory, {.mapping_path = wanted.mapping_path}));
  if (made.model_->labels_tokens() == wanted.task.has_value()) {
    return fail(Code::kConfig, wanted.task ? "the model labels single words, not texts"
                                           : "the model labels texts, not single words");
  }
  SBX_CHECK_OK(made.match_labels(wanted));
  return made;
}

Result<void> HubModel::match_labels(const HubTask& wanted) {
  const auto& theirs = model_->labels();
  if (!wanted.task) {
    const bool any = std::ranges::any_of(theirs, [](const std::string& label) {
      const bool prefixed = label.starts_with("B-") || label.starts_with("I-");
      return pii::parse_type(prefixed ? label.substr(2) : label).has_value();
    });
    if (any) return {};
    return fail(Code::kConfig,
                "none of the model's labels is a kind of personal data: " + list(theirs));
  }
  HeadMeta meta;
  meta.version = wanted.directory;
  meta.labels = labels_of(*wanted.task);
  if (detects(*wanted.task)) meta.positive = {1};
  meta.threshold = threshold_;
  for (const std::string& label : theirs) {
    std::size_t index = 0;
    if (*wanted.task == Task::kJailbreak) {
      index = is_attack(label, wanted.positive) ? 1 : 0;
    } else {
      const auto same = [&](const std::string& other) { return plain(other) == plain(label); };
      index =
          static_cast<std::size_t>(std::ranges::find_if(meta.labels, same) - meta.labels.begin());
      if (index == meta.labels.size()) {
        return fail(Code::kConfig,
                    fmt::format("the model has the label '{}', which is none of: {}; "
                                "a mapping file can rename it",
                                label, list(meta.labels)));
      }
    }
    ours_.push_back(index);
  }
  if (*wanted.task == Task::kJailbreak && std::ranges::find(ours_, 1U) == ours_.end()) {
    return fail(Code::kConfig, "none of the model's labels (" + list(theirs) +
                                   ") is known as a finding; name some in positive_labels");
  }
  head_ = TextHead::labels_only(std::move(meta));
  return {};
}

std::vector<float> HubModel::translate(std::span<const float> probabilities) const {
  std::vector<float> out(head_.labels().size(), 0.0f);
  float sum = 0;
  for (std::size_t i = 0; i < ours_.size() && i < probabilities.size(); ++i) {
    out[ours_[i]] += probabilities[i];
    sum += probabilities[i];
  }
  // Labels that do not exclude one another add up to anything.
  for (float& value : out) value = sum > 0 ? value / sum : 0;
  return out;
}

std::vector<float> HubModel::classify(std::string_view text, ClassifierWorkspace& workspace,
                                      Coverage& coverage) const {
  const auto found = model_->classify(text, workspace);
  coverage = found.coverage;
  if (head_.meta().positive.empty() || found.windows.empty()) return translate(found.probabilities);
  std::vector<float> worst;
  for (const auto& window : found.windows) {
    auto said = translate(window);
    if (worst.empty() || head_.score(said) > head_.score(worst)) worst = std::move(said);
  }
  return worst;
}

std::vector<pii::Entity> HubModel::find(std::string_view text, ClassifierWorkspace& workspace,
                                        Coverage& coverage) const {
  const auto found = model_->find(text, workspace);
  coverage = found.coverage;
  std::vector<pii::Entity> out;
  for (const Entity& entity : found.entities) {
    const auto type = pii::parse_type(entity.label);
    if (!type || static_cast<double>(entity.confidence) < threshold_) continue;
    out.push_back({.begin = entity.begin,
                   .end = entity.end,
                   .type = *type,
                   .confidence = entity.confidence,
                   .source = pii::Source::kModel});
  }
  return out;
}

}  // namespace signalbox::encoder
