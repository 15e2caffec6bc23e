// What the config.json of a model hub directory says about an encoder or decoder that classifies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::encoder {

enum class Architecture : std::uint8_t { kBert, kModernBert, kQwen3 };

// What the class named under "architectures" does with the hidden states.
enum class HeadKind : std::uint8_t {
  kNone,         // nothing that classifies: a base model
  kSequence,     // one label for a text
  kTokens,       // one label for each token
  kLabelTokens,  // a language model; classifies by the logits of one token a label
};

// Rotary position embedding (Su et al. 2021), optionally stretched by YaRN (Peng et al. 2023).
struct RopeConfig {
  float theta = 10000;
  float factor = 1;  // of YaRN; 1 is plain
  std::size_t original_positions = 0;
  float beta_fast = 32, beta_slow = 1;
  std::optional<float> attention_factor;
};

struct HubConfig {
  Architecture architecture = Architecture::kBert;
  HeadKind head_kind = HeadKind::kNone;
  std::size_t layers = 0;
  std::size_t hidden = 0;
  std::size_t heads = 0;
  std::size_t key_heads = 0;   // fewer than heads: groups of heads share keys and values
  std::size_t head_width = 0;  // even where there are rotary positions
  std::size_t inner = 0;       // width of the feed-forward layer
  std::size_t positions = 0;   // longest input in tokens
  std::size_t vocabulary = 0;
  std::size_t types = 0;  // BERT's token types
  float epsilon = 1e-12f;
  RopeConfig rope, local_rope;
  std::vector<bool> local;  // per layer: attends to neighbours only
  std::size_t window =
      0;  // of local layers: tokens before (and, in encoders, behind) that are seen
  bool mean_pooling = false;        // of ModernBERT's sequence head; else the first token
  bool multi_label = false;         // labels do not exclude one another
  std::int32_t filler = 0;          // token of an empty text where there is no frame
  std::vector<std::string> labels;  // id2label

  // Errors: kCorrupt (missing or absurd numbers), kUnsupported (names what is not supported).
  static Result<HubConfig> parse(std::string_view config_json);
};

// Labels by id from {"0": "x", ..}: the ids must be 0..n-1. Errors: kCorrupt.
Result<std::vector<std::string>> parse_labels(std::string_view json, std::string_view key);

}  // namespace signalbox::encoder
