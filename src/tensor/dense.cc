#include "tensor/dense.h"

#include "base/assert.h"

namespace signalbox::tensor {

Dense::Dense(const Format& format, std::size_t depth, std::size_t columns)
    : format_(format), depth_(depth) {
  if (format.precision == Precision::kF32) {
    floats_ = Linear(*format.kernels, depth, columns);
  } else {
    packed_ = PackedWeights(format.precision, depth, columns);
  }
}

void Dense::set_output(std::size_t column, const float* weights, float bias, float factor) {
  if (format_.precision == Precision::kF32) {
    floats_.set_output(column, weights, bias, factor);
  } else {
    packed_.set_output(column, weights, bias, factor);
  }
}

void Dense::apply(const Activations& a, std::size_t first, std::size_t count, Store store, void* c,
                  std::size_t c_stride) const {
  SBX_ASSERT(a.precision() == format_.precision);
  if (format_.precision == Precision::kF32) {
    SBX_ASSERT(store == Store::kFloat || store == Store::kGelu);
    floats_.apply(a.floats(first), a.stride_elements(), count, static_cast<float*>(c), c_stride,
                  store == Store::kGelu ? Activation::kGelu : Activation::kNone);
    return;
  }
  Product product = packed_.product();
  a.fill(product, first, count);
  product.c = c;
  product.c_stride = c_stride;
  product.store = store;
  (format_.precision == Precision::kInt8 ? format_.dot->gemm_int8
                                         : format_.dot->gemm_bf16)(product);
}

}  // namespace signalbox::tensor
