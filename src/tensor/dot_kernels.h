// Matrix products in bf16 and int8, and attention in bf16: one table of functions per instruction
// set, beside the fp32 tables of kernels.h. All tables compute the same: int8 sums are exact, so
// results differ only by the rounding of the last few float operations.
//
// Both formats share one layout. Four bytes that belong to one output are a group: 4 int8 or 2 bf16
// values of consecutive depth. Weights lie in panels of kDotPanel columns: group g of column n is at
// panel n / kDotPanel, byte (g * kDotPanel + n % kDotPanel) * 4. One 512-bit register holds a group
// of 16 columns and meets one broadcast group of an activation row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace signalbox::tensor {

inline constexpr std::size_t kDotPanel = 64;        // columns of a panel
inline constexpr std::size_t kDotGroupBytes = 4;    // see above
inline constexpr std::size_t kDotRowMultiple = 64;  // bytes to which rows of activations are padded

// What becomes of y = A * B + bias.
enum class Store : std::uint8_t {
  kFloat,     // float c = y
  kGelu,      // float c = gelu(y)
  kBf16,      // bf16 c = y
  kGeluBf16,  // bf16 c = gelu(y)
};

struct Product {
  const std::byte* a = nullptr;    // rows of u8 or bf16; readable to whole groups, padding finite
  std::size_t a_stride = 0;        // bytes from row to row
  const float* a_scale = nullptr;  // int8 only, per row: x = scale * (q - zero)
  const float* a_zero = nullptr;
  const std::byte* b = nullptr;    // panels; the last one padded with zeros
  std::size_t groups = 0;          // depth in groups
  const float* b_scale = nullptr;  // int8 only, per column (whole panels): w = scale * q
  const float* b_sum = nullptr;    // int8 only, per column: sum of q over the depth
  const float* bias = nullptr;     // per column (whole panels)
  void* c = nullptr;               // rows x columns floats or bf16
  std::size_t c_stride = 0;        // elements from row to row
  std::size_t rows = 0;
  std::size_t columns = 0;
  Store store = Store::kFloat;
};

// softmax(Q K^T) V of one sequence, all heads. The factor log2(e) / sqrt(width) must already be in
// the queries: the kernel takes powers of two.
struct Attention {
  const std::uint16_t* qkv = nullptr;  // [tokens][queries, keys, values: heads * width each], bf16
  std::size_t qkv_stride = 0;          // elements from token to token
  std::size_t tokens = 0;              // of the sequence: keys and values
  std::size_t heads = 0;
  std::size_t width = 0;                       // of a head
  std::size_t query_first = 0, query_end = 0;  // the tokens whose answers are wanted
  float* context = nullptr;  // [tokens][heads * width]; rows of the queries are set
  std::size_t context_stride = 0;
  std::span<float> scratch;  // attention_scratch(tokens, width), on a cache line
};
// The fast kernel takes so many queries at a time against so many keys: the scores, 32 KiB, fit the
// first-level cache beside the rest. The softmax over more keys is corrected as blocks of them go by.
inline constexpr std::size_t kAttentionQueries = 64;
inline constexpr std::size_t kAttentionKeys = 128;
// Floats of scratch space that attention needs: about tokens * width + 16,000.
std::size_t attention_scratch(std::size_t tokens, std::size_t width);

struct DotKernels {
  std::string_view name;  // "avx512", "avx2", "neon", "scalar"
  void (*gemm_int8)(const Product&);
  // out[i] = round((x[i] - low) / scale), scale = (high - low) / 255, zero = -low / scale. `out` has
  // room for whole kDotRowMultiple; what is past `count` is undefined. A row of equal values has
  // scale 1.
  void (*quantise)(const float* x, std::size_t count, std::uint8_t* out, float* scale, float* zero);
  // Null where the CPU has no bf16 products; then all three are.
  void (*gemm_bf16)(const Product&);
  // `out` has room for whole kDotRowMultiple bytes; the rest of the last group is zero.
  void (*to_bf16)(const float* x, std::size_t count, std::uint16_t* out);
  void (*attend)(const Attention&);

  bool has_bf16() const { return gemm_bf16 != nullptr; }
};

const DotKernels& scalar_dot_kernels();  // the plain reference; has everything
// The fastest table this CPU can run; always the same within a process.
const DotKernels& best_dot_kernels();
// Every table this CPU can run, slowest first; for tests and benchmarks.
std::span<const DotKernels* const> runnable_dot_kernels();

}  // namespace signalbox::tensor
