// Dot kernel tables compiled for instruction sets that the build machine's baseline lacks; call only
// after asking the CPU.
#pragma once

#include "tensor/dot_kernels.h"

namespace signalbox::tensor {

#if defined(__x86_64__)
const DotKernels& avx2_dot_kernels();            // AVX2 and FMA; int8 only
const DotKernels& avx512_dot_kernels();          // AVX512 F, BW, DQ, VL, VNNI, BF16
void attend_avx512(const Attention& attention);  // of that table
#endif

}  // namespace signalbox::tensor
