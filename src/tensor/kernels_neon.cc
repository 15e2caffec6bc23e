#if defined(__aarch64__)
#define SBX_VECTOR_FLOATS 4
#include "tensor/kernels_neon.h"

#include "tensor/kernels_vector.h"

namespace signalbox::tensor {
namespace {
constexpr Kernels kTable{"neon-f32", gemm, softmax, layer_norm, accumulate, dot_i8};
}  // namespace

const Kernels& neon_kernels() { return kTable; }

}  // namespace signalbox::tensor
#endif
