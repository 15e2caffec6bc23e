// The encoder: text in, everything our small models can say about it out. One tokenisation and one
// base pass per window serve all demanded heads. Immutable after load and shared by all threads;
// what a call scribbles on is its Workspace.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/crew.h"
#include "tensor/precision.h"

namespace signalbox::encoder {

// What a caller wants to know; combine with |. Heads that nobody asks for cost nothing.
enum class Demand : std::uint8_t { kNone = 0, kEmbedding = 1, kDomain = 2 };
constexpr Demand operator|(Demand a, Demand b) {
  return static_cast<Demand>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr Demand& operator|=(Demand& a, Demand b) { return a = a | b; }
constexpr bool demands(Demand set, Demand one) {
  return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(one)) != 0;
}

// The answer to one analyze(). Parts that were not demanded are empty.
struct Analysis {
  // Set: nothing below is valid. kRequestTimeout from Pool, kUnsupported without a head.
  std::optional<Error> error;
  std::vector<float> embedding;  // dimension() floats, Euclidean length 1
  std::vector<float> domain;     // calibrated probability of each of domain_labels(), sum 1
  // Word pieces that went through the base model, special tokens not counted. Fewer than
  // tokens_total: the text was too long and was looked at in windows.
  int tokens_seen = 0;
  // Word pieces of the whole text; past limits::kTokenizeBytesMax an estimate by bytes.
  int tokens_total = 0;
  int passes = 0;  // base passes, one per window
  bool failed() const { return error.has_value(); }
};

// The most probable label of Analysis::domain; index is -1 when there are no probabilities.
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
  // tokenizer.json) and the heads that were trained for it (domain/). Packs the weights: 0.1 s.
  // Errors: kIo (missing file), kCorrupt (damaged or hostile file), kUnsupported (another
  // architecture). A head that is missing, damaged or made for other weights is logged and left
  // out: see has_domain(). For `precision` see choose_format() of number_format.h.
  static Result<std::unique_ptr<Encoder>> load(const std::string& base_directory,
                                               const std::string& models_directory,
                                               std::optional<tensor::Precision> precision = {});
  ~Encoder();

  // Never throws for any bytes; invalid UTF-8 counts as U+FFFD. Long texts are looked at in
  // windows: up to kEncoderTokensMax tokens in one pass, above that up to kEncoderWindowsMax
  // windows from head to tail. Cost on one Zen 4 core in fp32: about 0.25 ms a token, at most
  // kEncoderWindowsMax * kEncoderWindowTokens tokens.
  Analysis analyze(std::string_view text, Demand demand, Workspace& workspace) const;

  // The 14 labels of the domain head, in the order of Analysis::domain. Fixed; also valid without a
  // head.
  static std::span<const std::string_view> domain_labels();
  bool has_domain() const;
  // Floats in an embedding (384 for the shipped base).
  int dimension() const;
  // Kernels and number format of the base passes: "avx512-int8", "avx2-f32", "scalar-f32", ...
  std::string_view kernel() const;
  // Version of the domain head's training, from its metadata; empty without a head.
  std::string_view domain_version() const;
  // Word pieces of a text without running the model; exact for any length. Cost: about 7 ns a byte
  // of English.
  int count_tokens(std::string_view text) const;

 private:
  struct Parts;
  explicit Encoder(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace signalbox::encoder
