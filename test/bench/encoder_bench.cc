// ./dev bench encoder [--json]: one forward pass of the encoder on one core, against the time that oneDNN needs for the
// matrix products of the same pass alone (`gemm-limit`). What lies between is softmax, LayerNorm, GELU and memory.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <dnnl.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/bert.h"
#include "encoder/locate.h"

namespace signalbox::bench {
namespace {

constexpr int kRounds = 9;  // the median counts
constexpr std::size_t kTokens[] = {16, 64, 128, 256};

// Median milliseconds of a run; each round lasts about 50 ms.
template <class Run>
double milliseconds_of(Run run) {
  using clock = std::chrono::steady_clock;
  const auto time = [&](int count) {
    const auto start = clock::now();
    for (int i = 0; i < count; ++i) run();
    return std::chrono::duration<double, std::milli>(clock::now() - start).count() / count;
  };
  run();
  const int count = std::max(1, static_cast<int>(50 / time(2)));
  std::vector<double> rounds;
  for (int i = 0; i < kRounds; ++i) rounds.push_back(time(count));
  std::sort(rounds.begin(), rounds.end());
  return rounds[rounds.size() / 2];
}

// One product [batch][rows x depth] * [batch][depth x columns] in fp32, weights in whatever layout oneDNN likes best.
class Product {
 public:
  Product(const dnnl::engine& engine, dnnl::memory::dim batch, dnnl::memory::dim rows,
          dnnl::memory::dim depth, dnnl::memory::dim columns) {
    using dnnl::memory;
    const auto plain = [](memory::dims dims) {
      return memory::desc(std::move(dims), memory::data_type::f32, memory::format_tag::abc);
    };
    const auto a = plain({batch, rows, depth});
    const auto c = plain({batch, rows, columns});
    // Weights of a layer are packed beforehand; keys and values of attention arrive as they are.
    const auto b = batch == 1 ? memory::desc({batch, depth, columns}, memory::data_type::f32,
                                             memory::format_tag::any)
                              : plain({batch, depth, columns});
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine);
    primitive_ = dnnl::matmul(description);
    const auto add = [&](int name, const memory::desc& desc) {
      auto& values = storage_.emplace_back(desc.get_size() / sizeof(float), 0.5F);
      arguments_.emplace(name, memory(desc, engine, values.data()));
    };
    storage_.reserve(3);
    add(DNNL_ARG_SRC, description.src_desc());
    add(DNNL_ARG_WEIGHTS, description.weights_desc());
    add(DNNL_ARG_DST, description.dst_desc());
  }

  void run(dnnl::stream& stream) { primitive_.execute(stream, arguments_); }

 private:
  dnnl::matmul primitive_;
  std::vector<std::vector<float>> storage_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

// All products of one pass over `tokens` positions.
double gemm_limit(const encoder::BertConfig& config, std::size_t tokens) {
  const auto dim = [](std::size_t value) { return static_cast<dnnl::memory::dim>(value); };
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto rows = dim(tokens);
  const auto hidden = dim(config.hidden);
  const auto inner = dim(config.inner);
  const auto heads = dim(config.heads);
  std::vector<Product> products;
  products.reserve(config.layers * 6);  // a product's memory must not move
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    products.emplace_back(engine, 1, rows, hidden, 3 * hidden);
    products.emplace_back(engine, heads, rows, hidden / heads, rows);
    products.emplace_back(engine, heads, rows, rows, hidden / heads);
    products.emplace_back(engine, 1, rows, hidden, hidden);
    products.emplace_back(engine, 1, rows, hidden, inner);
    products.emplace_back(engine, 1, rows, inner, hidden);
  }
  return milliseconds_of([&] {
    for (auto& product : products) product.run(stream);
    stream.wait();
  });
}

double forward(const encoder::Bert& bert, std::size_t tokens) {
  std::vector<std::int32_t> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i) ids[i] = static_cast<std::int32_t>(1000 + 37 * i);
  encoder::BertScratch scratch;
  return milliseconds_of([&] { bert.forward(ids, scratch); });
}

Result<void> run(bool json) {
  const std::string directory = encoder::locate().base;
  SBX_TRY(const auto text, read_file(directory + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(const auto config, encoder::BertConfig::parse(text));
  SBX_TRY(const auto bert, encoder::Bert::load(directory + "/model.safetensors", config));
  if (!json) {
    fmt::print("kernels {}\n{:28} {:>10} {:>12} {:>7}\n", bert.kernels().name, "case", "ms",
               "gemm-limit", "ratio");
  }
  for (const std::size_t tokens : kTokens) {
    const double value = forward(bert, tokens);
    const double limit = gemm_limit(config, tokens);
    const auto name = fmt::format("forward/fp32/1x{}/1core", tokens);
    if (json) {
      fmt::print(
          "{{\"bench\":\"encoder\",\"case\":\"{}\",\"value\":{:.4f},\"unit\":\"ms\",\"against\":"
          "\"gemm-limit\",\"against_value\":{:.4f},\"ratio\":{:.4f}}}\n",
          name, value, limit, value / limit);
    } else {
      fmt::print("{:28} {:10.3f} {:12.3f} {:7.3f}\n", name, value, limit, value / limit);
    }
  }
  return {};
}

}  // namespace
}  // namespace signalbox::bench

int main(int argc, char** argv) {
  const auto done = signalbox::bench::run(argc > 1 && std::string_view(argv[1]) == "--json");
  if (done) return 0;
  fmt::print(stderr, "encoder_bench: {}\n", done.error().message);
  return 1;
}
