// One round of ./dev bench encoder, for test/bench/encoder.py: a line of JSON for each case, with
// our figure and a limit. gemm-limit is the time that oneDNN needs for the matrix products of the
// same pass alone, in the same format on the same core; rate-limit is what the arithmetic takes at
// the best rate that oneDNN reaches anywhere. What lies between is softmax, LayerNorm, GELU,
// quantisation and memory. `--cores 1` measures passes on one core (pin it), `--cores 2` what two
// cores do.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <dnnl.hpp>
#include <latch>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/bert.h"
#include "encoder/locate.h"
#include "encoder/number_format.h"

namespace signalbox::bench {
namespace {

using tensor::Precision;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 7;  // the median counts
constexpr std::size_t kTokens[] = {16, 64, 128, 256, 512};
constexpr std::size_t kThroughputTokens = 64;

double wall_ms() {
  return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
}
// What this process has had of its cores: unlike wall time, the same when others want them too.
double cpu_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

// Median milliseconds of a run by `clock`; each round lasts about 30 ms.
template <class Run>
double milliseconds_of(Run run, double (*clock)() = cpu_ms) {
  const auto time = [&](int count) {
    const double start = clock();
    for (int i = 0; i < count; ++i) run();
    return (clock() - start) / count;
  };
  run();
  const int count = std::max(1, static_cast<int>(30 / time(2)));
  std::vector<double> rounds;
  for (int i = 0; i < kRounds; ++i) rounds.push_back(time(count));
  std::sort(rounds.begin(), rounds.end());
  return rounds[rounds.size() / 2];
}

struct Types {
  dnnl::memory::data_type a, b, c;
};

Types types_of(Precision precision) {
  using Type = dnnl::memory::data_type;
  switch (precision) {
    case Precision::kF32:
      return {Type::f32, Type::f32, Type::f32};
    case Precision::kBf16:
      return {Type::bf16, Type::bf16, Type::f32};
    case Precision::kInt8:
      return {Type::u8, Type::s8, Type::s32};
  }
  return {};
}

// One product [batch][rows x depth] * [batch][depth x columns], weights in whatever layout oneDNN
// likes best.
class Product {
 public:
  Product(const dnnl::engine& engine, const Types& types, dnnl::memory::dim batch,
          dnnl::memory::dim rows, dnnl::memory::dim depth, dnnl::memory::dim columns) {
    using dnnl::memory;
    const auto plain = [](memory::dims dims, memory::data_type type) {
      return memory::desc(std::move(dims), type, memory::format_tag::abc);
    };
    const auto a = plain({batch, rows, depth}, types.a);
    const auto c = plain({batch, rows, columns}, types.c);
    // Weights of a layer are packed beforehand; keys and values of attention arrive as they are.
    const auto b = batch == 1
                       ? memory::desc({batch, depth, columns}, types.b, memory::format_tag::any)
                       : plain({batch, depth, columns}, types.b);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine);
    primitive_ = dnnl::matmul(description);
    const auto add = [&](int name, const memory::desc& desc) {
      auto& values = storage_.emplace_back(desc.get_size() / sizeof(float) + 1, 0.5F);
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

// All products of one pass over `tokens` positions. Attention is bf16 where the layers are int8.
double gemm_limit(const encoder::BertConfig& config, Precision precision, std::size_t tokens) {
  const auto dim = [](std::size_t value) { return static_cast<dnnl::memory::dim>(value); };
  const Types layers = types_of(precision);
  const Types attention = types_of(precision == Precision::kInt8 ? Precision::kBf16 : precision);
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto rows = dim(tokens);
  const auto hidden = dim(config.hidden);
  const auto inner = dim(config.inner);
  const auto heads = dim(config.heads);
  std::vector<Product> products;
  products.reserve(config.layers * 6);  // a product's memory must not move
  for (std::size_t layer = 0; layer < config.layers; ++layer) {
    products.emplace_back(engine, layers, 1, rows, hidden, 3 * hidden);
    products.emplace_back(engine, attention, heads, rows, hidden / heads, rows);
    products.emplace_back(engine, attention, heads, rows, rows, hidden / heads);
    products.emplace_back(engine, layers, 1, rows, hidden, hidden);
    products.emplace_back(engine, layers, 1, rows, hidden, inner);
    products.emplace_back(engine, layers, 1, rows, inner, hidden);
  }
  return milliseconds_of([&] {
    for (auto& product : products) product.run(stream);
    stream.wait();
  });
}

// The best rate of oneDNN on large products of the model's shapes, in operations a millisecond: as
// near to what the core can do as anything gets.
double best_rate(const encoder::BertConfig& config, Precision precision) {
  constexpr dnnl::memory::dim kRows = 504;
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto hidden = static_cast<dnnl::memory::dim>(config.hidden);
  const auto inner = static_cast<dnnl::memory::dim>(config.inner);
  const std::pair<dnnl::memory::dim, dnnl::memory::dim> shapes[] = {
      {hidden, 3 * hidden}, {hidden, inner}, {inner, hidden}};
  double best = 0;
  for (const auto& [depth, columns] : shapes) {
    Product product(engine, types_of(precision), 1, kRows, depth, columns);
    const double ms = milliseconds_of([&] {
      product.run(stream);
      stream.wait();
    });
    best = std::max(best, 2.0 * static_cast<double>(kRows * depth * columns) / ms);
  }
  return best;
}

// Our kernel on one of those shapes, operations a millisecond: shows at once when a compiler spoils
// its inner loop.
double own_rate(const encoder::BertConfig& config, const tensor::Format& format) {
  constexpr std::size_t kRows = 504;
  const std::size_t depth = config.inner, columns = config.hidden;
  std::vector<float> row(depth);
  for (std::size_t i = 0; i < depth; ++i) row[i] = static_cast<float>(i % 13) - 6;
  tensor::Dense layer(format, depth, columns);
  for (std::size_t n = 0; n < columns; ++n) layer.set_output(n, row.data(), 0);
  tensor::Activations a;
  a.resize(format.precision, *format.dot, kRows, depth);
  for (std::size_t r = 0; r < kRows; ++r) a.set_row(r, row.data());
  std::vector<float> c(kRows * columns);
  const double ms =
      milliseconds_of([&] { layer.apply(a, 0, kRows, tensor::Store::kFloat, c.data(), columns); });
  return 2.0 * static_cast<double>(kRows * depth * columns) / ms;
}

// All products of a pass at those rates: nothing with this arithmetic can be faster.
double rate_limit(const encoder::BertConfig& config, double layer_rate, double attention_rate,
                  std::size_t tokens) {
  const double t = static_cast<double>(tokens), hidden = static_cast<double>(config.hidden);
  const double layers = static_cast<double>(config.layers);
  const double weights = hidden * (4 * hidden + 2 * static_cast<double>(config.inner));
  return layers * (2 * t * weights / layer_rate + 4 * t * t * hidden / attention_rate);
}

std::vector<std::int32_t> some_ids(std::size_t tokens) {
  std::vector<std::int32_t> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i) ids[i] = static_cast<std::int32_t>(1000 + 37 * i);
  return ids;
}

double forward(const encoder::Bert& bert, std::size_t tokens, double (*clock)(),
               tensor::Crew* crew = nullptr) {
  const auto ids = some_ids(tokens);
  encoder::BertScratch scratch;
  scratch.crew = crew;
  return milliseconds_of([&] { bert.forward(ids, scratch); }, clock);
}

// This thread and another one that is always ready.
class Pair : public tensor::Crew {
 public:
  Pair() : other_([this] { help(); }) {}
  ~Pair() override {
    work_ = nullptr;
    start_.arrive_and_wait();
    other_.join();
  }
  std::size_t size_max() const override { return 2; }
  void run(const std::function<void(const tensor::Member&)>& work) override {
    work_ = &work;
    start_.arrive_and_wait();
    work({0, 2, &barrier_});
    barrier_.arrive_and_wait();
  }

 private:
  void help() {
    for (;;) {
      start_.arrive_and_wait();
      if (work_ == nullptr) return;
      (*work_)({1, 2, &barrier_});
      barrier_.arrive_and_wait();
    }
  }
  static constexpr int kSpins = 2000;  // as encoder::Pool
  tensor::Barrier start_{2, kSpins}, barrier_{2, kSpins};
  const std::function<void(const tensor::Member&)>* work_ = nullptr;
  std::thread other_;
};

// Passes a second of two threads, each with its own.
double throughput(const encoder::Bert& bert, std::size_t tokens) {
  constexpr int kPasses = 200;
  constexpr std::size_t kThreads = 2;
  std::latch ready(kThreads + 1);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const auto ids = some_ids(tokens);
      encoder::BertScratch scratch;
      bert.forward(ids, scratch);
      ready.arrive_and_wait();
      for (int pass = 0; pass < kPasses; ++pass) bert.forward(ids, scratch);
    });
  }
  ready.arrive_and_wait();
  const auto start = Clock::now();
  for (auto& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return kPasses * static_cast<double>(kThreads) / seconds;
}

void print(const std::string& name, double value, std::string_view unit, std::string_view against,
           double against_value) {
  fmt::print(
      "{{\"case\":\"{}\",\"value\":{:.5f},\"unit\":\"{}\",\"against\":\"{}\",\"against_value\":{:."
      "5f}}}\n",
      name, value, unit, against, against_value);
}

Result<void> run(int cores) {
  const std::string directory = encoder::locate().base;
  SBX_TRY(const auto text, read_file(directory + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(const auto config, encoder::BertConfig::parse(text));
  for (const Precision precision : {Precision::kInt8, Precision::kBf16, Precision::kF32}) {
    SBX_TRY(const auto format, encoder::choose_format(precision));
    if (format.precision != precision) continue;  // not on this CPU
    const auto start = Clock::now();
    SBX_TRY(const auto bert, encoder::Bert::load(directory + "/model.safetensors", config, format));
    const double load = std::chrono::duration<double>(Clock::now() - start).count();
    const auto word = tensor::precision_name(precision);
    if (cores == 1) {
      print(fmt::format("load/{}", word), load, "s", "goal", 0.5);
      const double rate = best_rate(config, precision);
      const double attention_rate =
          precision == Precision::kInt8 ? best_rate(config, Precision::kBf16) : rate;
      print(fmt::format("product/{}/504x1536x384", word), own_rate(config, format) / 1e6, "Gop/s",
            "onednn-best", rate / 1e6);
      for (const std::size_t tokens : kTokens) {
        const double value = forward(bert, tokens, cpu_ms);
        const auto name = fmt::format("forward/{}/1x{}/1core", word, tokens);
        print(name, value, "ms", "gemm-limit", gemm_limit(config, precision, tokens));
        print(name, value, "ms", "rate-limit", rate_limit(config, rate, attention_rate, tokens));
      }
      continue;
    }
    for (const std::size_t tokens : kTokens) {
      const double alone = forward(bert, tokens, wall_ms);
      Pair pair;
      print(fmt::format("forward/{}/1x{}/2cores", word, tokens),
            forward(bert, tokens, wall_ms, &pair), "ms", "1core", alone);
    }
    print(fmt::format("throughput/{}/64/2cores", word), throughput(bert, kThroughputTokens), "1/s",
          "2-gemm-limits", 2000 / gemm_limit(config, precision, kThroughputTokens));
  }
  return {};
}

}  // namespace
}  // namespace signalbox::bench

int main(int argc, char** argv) {
  const bool two =
      argc > 2 && std::string_view(argv[1]) == "--cores" && std::string_view(argv[2]) == "2";
  const auto done = signalbox::bench::run(two ? 2 : 1);
  if (done) return 0;
  fmt::print(stderr, "encoder_bench: {}\n", done.error().message);
  return 1;
}
