// A hostile model directory: two bytes little-endian length, config.json of that length, then
// model.safetensors. Whatever loads must run.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "encoder/hub/classifier_head.h"
#include "encoder/hub/hub_config.h"
#include "encoder/hub/model_weights.h"
#include "encoder/hub/trunk.h"

namespace {

using signalbox::Code;
using signalbox::encoder::ClassifierHead;
using signalbox::encoder::HubConfig;
using signalbox::encoder::ModelWeights;

// Rejection is fine as long as it says what is wrong with the file.
template <class T>
bool rejected(const signalbox::Result<T>& result) {
  if (result) return false;
  if (result.error().code != Code::kCorrupt && result.error().code != Code::kUnsupported)
    std::abort();
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t length = std::min<std::size_t>(data[0] | data[1] << 8, size - 2);
  const auto config = HubConfig::parse({reinterpret_cast<const char*>(data) + 2, length});
  if (rejected(config)) return 0;
  auto parsed = ModelWeights::parse(std::as_bytes(std::span(data + 2 + length, size - 2 - length)));
  if (rejected(parsed)) return 0;
  const auto weights = std::make_shared<const ModelWeights>(std::move(*parsed));
  const auto& kernels = signalbox::tensor::scalar_kernels();
  const auto head = ClassifierHead::load(*config, config->head_kind, *weights, kernels);
  if (rejected(head)) return 0;
  const std::size_t tokens = std::min<std::size_t>(config->positions, 3);
  const auto trunk = load_trunk(*config, weights, tokens, kernels);
  if (rejected(trunk)) return 0;
  signalbox::encoder::TrunkScratch scratch;
  const auto last = static_cast<std::int32_t>(config->vocabulary - 1);
  std::vector<std::int32_t> ids{0, last, last / 2};
  ids.resize(tokens);
  (*trunk)->forward(ids, scratch);
  if (head->of_sequence(scratch.hidden.data(), tokens).size() != head->labels()) std::abort();
  if (head->of_each(scratch.hidden.data(), tokens).size() != tokens * head->labels()) std::abort();
  return 0;
}
