#if defined(__x86_64__)
#define SBX_VECTOR_FLOATS 8
#include "tensor/kernels_vector.h"
#include "tensor/kernels_x86.h"

namespace signalbox::tensor {
namespace {
constexpr Kernels kTable{"avx2-f32", gemm, softmax, layer_norm, accumulate, dot_i8};
}  // namespace

const Kernels& avx2_kernels() { return kTable; }

}  // namespace signalbox::tensor
#endif
