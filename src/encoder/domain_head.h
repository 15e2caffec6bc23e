// The domain classifier on top of the base: a small network on pooled hidden states, mixed with the
// votes of the nearest training examples, then calibrated. Made by train/domain.py; the format
// stands in models/domain/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/safetensors.h"
#include "tensor/kernels.h"
#include "tensor/linear.h"

namespace signalbox::encoder {

// The labels, in the order of every probability vector.
std::span<const std::string_view> domain_label_names();

class DomainHead {
 public:
  // Reads meta.json and head.safetensors of a directory. `hidden` and `layers` are those of the
  // base, `fingerprint` identifies its weights. Errors: kIo (files missing), kCorrupt (damaged, or
  // made for other weights).
  static Result<DomainHead> load(const std::string& directory, std::size_t hidden,
                                 std::size_t layers, const std::string& fingerprint,
                                 const tensor::Kernels& kernels);

  // `means` is BertScratch::means of one window: [layers + 1][hidden]. Returns probabilities of the
  // labels. Cost: one small network, and hidden * examples multiplications for the neighbours (0.6
  // ms at 20,000).
  std::vector<float> classify(const float* means) const;

  const std::string& version() const { return version_; }

 private:
  struct Neighbours {
    std::size_t count = 0;             // examples
    std::vector<std::int8_t> keys;     // [count][hidden]
    std::vector<float> scales;         // [count]; key * scale has length about 1
    std::vector<std::uint8_t> labels;  // [count]
    std::size_t nearest = 0;           // how many vote
    float sharpness = 0;               // votes weigh exp(similarity * sharpness)
    float weight = 0;                  // share of the vote in the mix, 0..1
  };
  DomainHead() = default;
  Result<void> read_meta(const std::string& text, std::size_t layers,
                         const std::string& fingerprint);
  Result<void> read_network(const Safetensors& file, std::size_t inputs,
                            const tensor::Kernels& kernels);
  Result<void> read_neighbours(const Safetensors& file);
  std::vector<float> run_network(const float* means) const;
  std::vector<float> vote(const float* embedding) const;

  const tensor::Kernels* kernels_ = nullptr;
  std::size_t hidden_ = 0;
  std::string version_;
  std::vector<std::size_t> states_;  // hidden states that feed the network, each scaled to length 1
  std::vector<tensor::Linear> dense_;  // GELU between them
  std::size_t embedding_state_ = 0;    // the last one: what the neighbours were made of
  Neighbours neighbours_;
  float inverse_temperature_ = 1;
};

}  // namespace signalbox::encoder
