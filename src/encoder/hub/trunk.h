// A transformer of a model hub directory, up to its last hidden states. Runs in fp32, one text a pass.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/error.h"
#include "encoder/hub/hub_config.h"
#include "encoder/hub/model_weights.h"
#include "tensor/buffer.h"
#include "tensor/kernels.h"

namespace signalbox::encoder {

// Buffers of one pass; kept between calls.
struct TrunkScratch {
  tensor::Buffer hidden;       // [tokens][hidden]: the result
  tensor::Buffer normed;       // [tokens][hidden]
  tensor::Buffer qkv;          // [tokens][queries, keys, values]
  tensor::Buffer context;      // [tokens][heads * width]
  tensor::Buffer mixed;        // [tokens][hidden]
  tensor::Buffer inner, gate;  // [tokens][inner]
  tensor::Buffer keys, scores;
};

class Trunk {
 public:
  virtual ~Trunk() = default;
  // 1 .. positions ids, each in 0 .. vocabulary - 1. Fills scratch.hidden; the final norm is applied.
  virtual void forward(std::span<const std::int32_t> ids, TrunkScratch& scratch) const = 0;
};

using WeightsPointer = std::shared_ptr<const ModelWeights>;

// Packs the weights for the kernels; the word embeddings stay in the mapped files. `positions`: the longest
// input that will come. Errors: kCorrupt (tensors missing or of other shapes).
Result<std::unique_ptr<const Trunk>> load_trunk(const HubConfig& config, WeightsPointer weights,
                                                std::size_t positions,
                                                const tensor::Kernels& kernels);
// By architecture.
Result<std::unique_ptr<const Trunk>> load_bert(const HubConfig& config, WeightsPointer weights,
                                               const tensor::Kernels& kernels);
Result<std::unique_ptr<const Trunk>> load_modern_bert(const HubConfig& config,
                                                      WeightsPointer weights, std::size_t positions,
                                                      const tensor::Kernels& kernels);
Result<std::unique_ptr<const Trunk>> load_qwen3(const HubConfig& config, WeightsPointer weights,
                                                std::size_t positions,
                                                const tensor::Kernels& kernels);

}  // namespace signalbox::encoder
