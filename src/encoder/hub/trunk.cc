#include "encoder/hub/trunk.h"

#include <utility>

namespace signalbox::encoder {

Result<std::unique_ptr<const Trunk>> load_trunk(const HubConfig& config, WeightsPointer weights,
                                                std::size_t positions,
                                                const tensor::Kernels& kernels) {
  switch (config.architecture) {
    case Architecture::kModernBert:
      return load_modern_bert(config, std::move(weights), positions, kernels);
    case Architecture::kQwen3:
      return load_qwen3(config, std::move(weights), positions, kernels);
    case Architecture::kBert:
      break;
  }
  return load_bert(config, std::move(weights), kernels);
}

}  // namespace signalbox::encoder
