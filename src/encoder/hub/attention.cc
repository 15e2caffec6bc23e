#include "encoder/hub/attention.h"

#include <algorithm>

namespace signalbox::encoder {
namespace {

using tensor::Kernels;

// Query rows that go together, so that their scores stay in the first-level cache.
constexpr std::size_t kBlock = 12;

// The keys that a token sees.
struct Seen {
  std::size_t begin = 0, end = 0;
};
Seen seen_by(const Attention& attention, std::size_t token) {
  const std::size_t left = attention.tokens - 1 - token;  // tokens behind this one
  return {token - std::min(token, attention.before), token + 1 + std::min(left, attention.behind)};
}

// One head's keys as panels.
void pack_keys(const Attention& attention, std::size_t key_head, float* packed) {
  const std::size_t width = attention.width;
  for (std::size_t t = 0; t < attention.tokens; ++t) {
    const float* key = attention.keys + t * attention.stride + key_head * width;
    float* to = packed + t / Kernels::kPanel * width * Kernels::kPanel + t % Kernels::kPanel;
    for (std::size_t k = 0; k < width; ++k) to[k * Kernels::kPanel] = key[k];
  }
}

// Scores to weights: softmax over what a row sees, 0 elsewhere. `first` is the key of column 0.
void weigh(const Kernels& kernels, const Attention& attention, std::size_t token, std::size_t first,
           std::size_t columns, float* row) {
  const Seen seen = seen_by(attention, token);
  const std::size_t begin = seen.begin - first, end = seen.end - first;
  std::fill(row, row + begin, 0.0f);
  std::fill(row + end, row + columns, 0.0f);
  kernels.softmax(row + begin, end - begin);
}

}  // namespace

void attend(const Kernels& kernels, const Attention& attention, tensor::Buffer& keys,
            tensor::Buffer& scores) {
  const std::size_t tokens = attention.tokens, width = attention.width, stride = attention.stride;
  const std::size_t padded = tensor::round_up(tokens, Kernels::kPanel);
  const std::size_t group = attention.heads / attention.key_heads;
  keys.resize_zeroed(padded * width);
  scores.resize(kBlock * padded);
  for (std::size_t head = 0; head < attention.heads; ++head) {
    if (head % group == 0) pack_keys(attention, head / group, keys.data());
    const float* values = attention.values + head / group * width;
    for (std::size_t row = 0; row < tokens; row += kBlock) {
      const std::size_t rows = std::min(kBlock, tokens - row);
      // Whole panels that any row of the block sees.
      const std::size_t first = seen_by(attention, row).begin / Kernels::kPanel * Kernels::kPanel;
      const std::size_t end = seen_by(attention, row + rows - 1).end;
      const std::size_t columns = end - first;
      kernels.gemm({.a = attention.queries + row * stride + head * width,
                    .a_stride = stride,
                    .b = keys.data() + first * width,
                    .b_row_stride = Kernels::kPanel,
                    .b_panel_stride = width * Kernels::kPanel,
                    .c = scores.data(),
                    .c_stride = padded,
                    .rows = rows,
                    .depth = width,
                    .columns = columns});
      for (std::size_t r = 0; r < rows; ++r)
        weigh(kernels, attention, row + r, first, columns, scores.data() + r * padded);
      kernels.gemm({.a = scores.data(),
                    .a_stride = padded,
                    .b = values + first * stride,
                    .b_row_stride = stride,
                    .b_panel_stride = Kernels::kPanel,
                    .c = attention.context + row * attention.heads * width + head * width,
                    .c_stride = attention.heads * width,
                    .rows = rows,
                    .depth = columns,
                    .columns = width});
    }
  }
}

}  // namespace signalbox::encoder
