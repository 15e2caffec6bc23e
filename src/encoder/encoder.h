// The encoder: text in, everything our small models can say about it out. One tokenisation and one
// base pass per window serve all demanded heads. Immutable after load and shared by all threads;
// what a call scribbles on is its Workspace.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/task.h"
#include "pii/entity.h"
#include "tensor/crew.h"
#include "tensor/precision.h"

namespace signalbox::tokenize {
struct WordSpan;
}

namespace signalbox::encoder {

struct Adapter;
struct HubTask;
class PooledStates;
class TextHead;
class TokenHead;

// The answer to one analyze(). Parts that were not demanded are empty.
struct Analysis {
  // Set: nothing below is valid. kRequestTimeout from Pool.
  std::optional<Error> error;
  std::vector<float> embedding;  // dimension() floats, Euclidean length 1
  // By task: calibrated probability of each of Encoder::labels(task), sum 1. Also empty where there
  // is no head.
  std::array<std::vector<float>, kTaskCount> probabilities;
  std::span<const float> of(Task task) const {
    return probabilities[static_cast<std::size_t>(task)];
  }
  // Personal data, in text order and without overlaps. Without a token head only what rules find,
  // which read the whole text up to limits::kIdentifierBytesMax; names only from tokens_seen.
  std::vector<pii::Entity> entities;
  // Word pieces that went through the base model, special tokens not counted. Fewer than
  // tokens_total: the text was too long and was looked at in windows.
  int tokens_seen = 0;
  // Word pieces of the whole text; past limits::kTokenizeBytesMax an estimate by bytes.
  int tokens_total = 0;
  int passes = 0;  // base passes, one per window
  // The same with the layers that ran again for adapters: 1.67 for a text of one window and two
  // adapters of two of six layers.
  double passes_used = 0;
  bool failed() const { return error.has_value(); }
};

// The most probable label of a probability vector; index is -1 when there are no probabilities.
struct Top {
  int index = -1;
  float probability = 0;
};
Top top(std::span<const float> probabilities);

// Scratch memory of one thread (some MB once warm). Not for two calls at once.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  // Threads that may help with long texts; null (the default): nobody. Outlives the Workspace.
  void set_crew(tensor::Crew* crew);

 private:
  friend class Encoder;
  struct State;
  std::unique_ptr<State> state_;
};

class Encoder {
 public:
  // Reads a BERT sentence encoder in hub format (model.safetensors, config.json, vocab.txt or
  // tokenizer.json) and the heads that were trained for it (a folder per task). Packs the weights:
  // 0.1 s. Errors: kIo (missing file), kCorrupt (damaged or hostile file), kUnsupported (another
  // architecture). A head that is damaged or made for other weights is logged and left out: see
  // has(). So is a missing one, unlogged but for the domain's. For `precision`
  // see choose_format() of number_format.h. `hub` names classifiers that judge in the place of our
  // heads (hub_task.h); one that cannot be used is an error, whose param is its directory.
  static Result<std::unique_ptr<Encoder>> load(const std::string& base_directory,
                                               const std::string& models_directory,
                                               std::optional<tensor::Precision> precision = {},
                                               std::span<const HubTask> hub = {});
  ~Encoder();

  // Never throws for any bytes; invalid UTF-8 counts as U+FFFD. Long texts are looked at in
  // windows: up to kEncoderTokensMax tokens in one pass; above that up to kEncoderWindowsMax windows
  // from head to tail, or, where a safety task is demanded, overlapping windows over everything up
  // to kEncoderSafetyTokensMax tokens. Cost on one Zen 4 core in fp32: about 0.25 ms a token.
  Analysis analyze(std::string_view text, Demand demand, Workspace& workspace) const;

  // Fixed; also valid without a head.
  static std::span<const std::string_view> domain_labels() { return domain_label_names(); }
  bool has(Task task) const { return head(task) != nullptr; }
  bool has_domain() const { return has(Task::kDomain); }
  // The loaded head with its labels, thresholds and version; null without one.
  const TextHead* head(Task task) const;
  // What finds names, places and dates; null without one.
  const TokenHead* token_head() const;
  // Whether anything looks for personal data without a fixed form: the token head, or a model of a hub.
  bool finds_names() const;
  // Floats in an embedding (384 for the shipped base).
  int dimension() const;
  // Kernels and number format of the base passes: "avx512-int8", "avx2-f32", "scalar-f32", ...
  std::string_view kernel() const;
  // Word pieces of a text without running the model; exact for any length. Cost: about 7 ns a byte
  // of English.
  int count_tokens(std::string_view text) const;

 private:
  struct Parts;
  int tokenize(std::string_view text, std::vector<std::int32_t>& ids,
               std::vector<tokenize::WordSpan>* spans) const;
  // Adds what the demanded heads of one adapter (null: those without any) say about one of a text's
  // windows; `words` is by task, `part` the window's share in a mean.
  struct WindowVerdicts;
  void classify_window(Demand demand, const Adapter* adapter, const WindowVerdicts& window,
                       float part, Analysis& analysis) const;
  // States of the stretches of a window, into its segments.
  void pool_segments(const WindowVerdicts& window, std::size_t size) const;
  bool wants(Demand demand, const Adapter& adapter) const;
  // What of the demand the base and our heads answer.
  Demand own_part(Demand demand) const;
  void ask_hub_models(std::string_view text, Demand demand, Workspace& workspace,
                      Analysis& analysis) const;
  // One pass a window of the text, whose pieces are in the workspace, and what all heads say of it.
  // Entities in text order go to `names`.
  void run_windows(std::string_view text, Demand demand, Workspace& workspace, Analysis& analysis,
                   std::vector<pii::Entity>& names) const;
  explicit Encoder(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace signalbox::encoder
