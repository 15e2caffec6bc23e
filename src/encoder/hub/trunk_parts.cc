#include "encoder/hub/trunk_parts.h"

#include <array>
#include <cmath>

#include "base/assert.h"

namespace signalbox::encoder {

Result<LayerNorm> LayerNorm::load(const ModelWeights& weights, const std::string& name,
                                  std::uint64_t count) {
  const std::array<std::uint64_t, 1> shape{count};
  LayerNorm norm;
  SBX_TRY(norm.scale, weights.floats(name + ".weight", shape));
  SBX_TRY(norm.shift, weights.vector_or(name + ".bias", count, 0.0f));
  return norm;
}

void LayerNorm::apply(const tensor::Kernels& kernels, const float* x, const float* residual,
                      float epsilon, std::size_t rows, float* out) const {
  const std::size_t count = scale.size();
  for (std::size_t row = 0; row < rows; ++row) {
    kernels.layer_norm(x + row * count, residual == nullptr ? nullptr : residual + row * count,
                       scale.data(), shift.data(), epsilon, count, out + row * count);
  }
}

void rms_norm(const float* x, std::span<const float> scale, float epsilon, float* out) {
  double squares = 0;
  for (std::size_t i = 0; i < scale.size(); ++i)
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const double mean = squares / static_cast<double>(scale.size());
  const auto factor = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(epsilon)));
  for (std::size_t i = 0; i < scale.size(); ++i) out[i] = x[i] * factor * scale[i];
}

void add_to(const float* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

void embed(const MatrixRows& words, std::span<const std::int32_t> ids, std::size_t vocabulary,
           std::size_t columns, float* to) {
  for (std::size_t t = 0; t < ids.size(); ++t) {
    SBX_ASSERT(ids[t] >= 0 && static_cast<std::size_t>(ids[t]) < vocabulary);
    const auto read = words.read(static_cast<std::uint64_t>(ids[t]), {to + t * columns, columns});
    SBX_ASSERT(read.has_value());
  }
}

}  // namespace signalbox::encoder
