// What this processor can do, as far as our kernels ask. Each set is what one kernel file is compiled for.
#pragma once

#if defined(__x86_64__)

namespace signalbox::tensor {

inline bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}
inline bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
}
inline bool has_avx512_dot() {
  return has_avx512() && __builtin_cpu_supports("avx512vnni") != 0 &&
         __builtin_cpu_supports("avx512bf16") != 0;
}

}  // namespace signalbox::tensor

#endif
