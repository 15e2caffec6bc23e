// A classifier from a model hub directory that a user points at: BERT, ModernBERT (mmBERT too) or Qwen3,
// whole or as a LoRA adapter; labels for texts or for stretches of them. Immutable after load and shared by
// all threads; what a call scribbles on is its ClassifierWorkspace.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "encoder/hub/entity_merge.h"
#include "tensor/kernels.h"

namespace signalbox::encoder {

struct ClassifierOptions {
  // Of an adapter: the model it was trained for. Empty: the directory itself if it holds one, else where
  // the adapter says, if that is a directory.
  std::string base_directory;
  // A file with {"idx_to_label": {"0": ..}} ("idx_to_category", "id2label"), as the reference system ships
  // beside its models; wins over the labels of config.json. Empty: none.
  std::string mapping_path;
  // Tokens that one call may look at; longer texts are looked at in windows from head to tail.
  std::size_t tokens_max = limits::kClassifierTokensMax;
  const tensor::Kernels* kernels = &tensor::best_kernels();
};

// What was looked at.
struct Coverage {
  std::size_t tokens_seen = 0;
  std::size_t tokens_total = 0;
  std::size_t passes = 0;
};

// Of a text as a whole.
struct TextLabels {
  // By label: the mean over the windows. They add up to 1 unless the labels do not exclude one another.
  std::vector<float> probabilities;
  // By window, for callers whom one bad stretch is enough.
  std::vector<std::vector<float>> windows;
  Coverage coverage;
};

struct TextEntities {
  std::vector<Entity> entities;  // by position
  Coverage coverage;
};

// Scratch memory of one thread. Not for two calls at once.
class ClassifierWorkspace {
 public:
  ClassifierWorkspace();
  ~ClassifierWorkspace();
  ClassifierWorkspace(ClassifierWorkspace&&) noexcept;
  ClassifierWorkspace& operator=(ClassifierWorkspace&&) noexcept;

 private:
  friend class ClassifierModel;
  struct State;
  std::unique_ptr<State> state_;
};

class ClassifierModel {
 public:
  // Reads config.json, model.safetensors (or what its index lists), the tokenizer, and of adapters
  // adapter_config.json and adapter_model.safetensors; of a language model that answers with a token a
  // label, classifier.json (hub/label_prompt.h). Errors: kIo (missing file), kCorrupt (damaged, hostile, or
  // files that do not belong together), kUnsupported (names what is not supported).
  static Result<std::unique_ptr<const ClassifierModel>> load(const std::string& directory,
                                                             const ClassifierOptions& options = {});
  ~ClassifierModel();

  // Labels single tokens: find() is for it, not classify().
  bool labels_tokens() const;
  const std::vector<std::string>& labels() const;

  // Any bytes. Cost: a pass a window, fp32. Without labels_tokens() only.
  TextLabels classify(std::string_view text, ClassifierWorkspace& workspace) const;
  // With labels_tokens() only. Where windows overlap, a token has the label it got further from an edge.
  TextEntities find(std::string_view text, ClassifierWorkspace& workspace) const;

 private:
  struct Parts;
  explicit ClassifierModel(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace signalbox::encoder
