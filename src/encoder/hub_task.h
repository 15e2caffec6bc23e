// A classifier from a model hub directory in the place of one of our heads: its labels translated to ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/classifier_model.h"
#include "encoder/task.h"
#include "encoder/text_head.h"
#include "pii/entity.h"

namespace signalbox::encoder {

// What to load; kInjection, kComplexity and kTaskKind have no counterpart in hubs.
struct HubTask {
  std::optional<Task> task;           // nothing: personal data
  std::string directory;              // as ClassifierModel::load() takes it
  std::string mapping_path;           // names of its labels; empty: its config.json's
  std::vector<std::string> positive;  // of kJailbreak: labels that are findings; empty: known names
  double threshold = 0;               // least score of a finding; 0: 0.5
  bool operator==(const HubTask&) const = default;
};

class HubModel {
 public:
  // Errors: ClassifierModel::load()'s; kConfig where the model's labels are not those of the task.
  static Result<HubModel> load(const HubTask& wanted);

  const std::optional<Task>& task() const { return task_; }
  // Labels and thresholds in the form of a head of ours. Texts only.
  const TextHead& head() const { return head_; }
  // Probability of each of head().labels(), sum 1. Of a detector the window with the highest score,
  // else the mean of the windows. Cost: a pass of that model a window.
  std::vector<float> classify(std::string_view text, ClassifierWorkspace& workspace,
                              Coverage& coverage) const;
  // Personal data only: what the model found at or above the threshold, in text order.
  std::vector<pii::Entity> find(std::string_view text, ClassifierWorkspace& workspace,
                                Coverage& coverage) const;

 private:
  std::optional<Task> task_;
  std::unique_ptr<const ClassifierModel> model_;
  TextHead head_;
  std::vector<std::size_t> ours_;  // by label of the model: index in head_.labels()
  double threshold_ = 0;
  std::vector<float> translate(std::span<const float> probabilities) const;
  Result<void> match_labels(const HubTask& wanted);
};

}  // namespace signalbox::encoder
