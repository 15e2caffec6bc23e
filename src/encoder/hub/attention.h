// Scaled dot-product attention in fp32 for any reach: whole texts, windows, causal; with fewer key heads
// than query heads.
#pragma once

#include <cstddef>

#include "tensor/buffer.h"
#include "tensor/kernels.h"

namespace signalbox::encoder {

struct Attention {
  // Rows of the tokens lie `stride` floats apart. Queries carry the factor 1 / sqrt(width) already. Of
  // values Kernels::kPanel floats past the last row must be readable.
  const float* queries = nullptr;
  const float* keys = nullptr;
  const float* values = nullptr;
  std::size_t stride = 0;
  std::size_t tokens = 0;
  std::size_t heads = 0;
  std::size_t key_heads = 0;  // divides heads; head h uses key head h / (heads / key_heads)
  std::size_t width = 0;
  // A token sees so many tokens before and behind itself.
  std::size_t before = 0, behind = 0;
  float* context = nullptr;  // [tokens][heads * width]
};

// Cost: only blocks of keys that a block of queries can see.
void attend(const tensor::Kernels& kernels, const Attention& attention, tensor::Buffer& keys,
            tensor::Buffer& scores);

}  // namespace signalbox::encoder
