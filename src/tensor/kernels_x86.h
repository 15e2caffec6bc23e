// Tables compiled with instruction sets that the build machine's baseline lacks; call only after
// asking the CPU.
#pragma once

#include "tensor/kernels.h"

namespace signalbox::tensor {

#if defined(__x86_64__)
const Kernels& avx2_kernels();    // AVX2 and FMA
const Kernels& avx512_kernels();  // AVX512 F, BW, DQ, VL
#endif

}  // namespace signalbox::tensor
