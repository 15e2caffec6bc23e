// Tables for arm64.
#pragma once

#include "tensor/dot_kernels.h"
#include "tensor/kernels.h"

namespace signalbox::tensor {

#if defined(__aarch64__)
const Kernels& neon_kernels();         // every arm64 CPU
const DotKernels& neon_dot_kernels();  // int8; needs the dot product instructions (Armv8.2)
#endif

}  // namespace signalbox::tensor
