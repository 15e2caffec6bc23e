#include "encoder/bert.h"

#include <algorithm>

#include "base/assert.h"

namespace signalbox::encoder {

using tensor::Kernels;
using tensor::Member;
using tensor::Precision;
using tensor::Store;

namespace {

// Rows that go through a layer together. Their widest intermediate result and what else is in use
// stay in a second-level cache of 1 MiB; the weights, read once a block, cost less than the products.
constexpr std::size_t kRowBlock = 64;
// Below this a second thread gains less than it costs to wake.
constexpr std::size_t kCrewTokensMin = 32;

struct Range {
  std::size_t first = 0, end = 0;
  std::size_t count() const { return end - first; }
};

// The share of one member, in whole mean blocks.
Range share_of(std::size_t tokens, const Member& member) {
  const std::size_t blocks = (tokens + kMeanBlock - 1) / kMeanBlock;
  return {std::min(tokens, blocks * member.rank / member.size * kMeanBlock),
          std::min(tokens, blocks * (member.rank + 1) / member.size * kMeanBlock)};
}

}  // namespace

// One member's part of a pass: the rows of its share through all layers. The only thing that needs
// the others is attention, which reads everybody's keys and values: one wait a layer.
class Bert::Pass {
 public:
  Pass(const Bert& bert, std::span<const Layer> layers, std::size_t first, std::size_t tokens,
       const Source& source, BertScratch& scratch, const Member& member)
      : bert_(bert),
        layers_(layers),
        first_(first),
        tokens_(tokens),
        source_(source),
        scratch_(scratch),
        own_(scratch.own[member.rank]),
        member_(member),
        share_(share_of(tokens, member)) {}

  void run() {
    for_blocks([&](Range rows) {
      source_.state == nullptr ? embed(rows) : resume(rows);
      project_qkv(0, rows);
    });
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      member_.wait();
      attend(i);
      for_blocks([&](Range rows) {
        finish_layer(i, rows);
        if (i + 1 < layers_.size()) project_qkv(i + 1, rows);
      });
    }
  }

 private:
  std::size_t hidden() const { return bert_.config_.hidden; }
  float* hidden_row(std::size_t t) { return scratch_.hidden.data() + t * hidden(); }

  // Blocks of equal size, whole mean blocks each.
  template <class Do>
  void for_blocks(Do work) {
    const std::size_t blocks = (share_.count() + kRowBlock - 1) / kRowBlock;
    for (std::size_t i = 0; i < blocks; ++i) {
      const Range part = share_of(share_.count(), {.rank = i, .size = blocks});
      work(Range{share_.first + part.first, share_.first + part.end});
    }
  }

  void embed(Range rows);
  void resume(Range rows);
  void project_qkv(std::size_t layer, Range rows);
  void attend(std::size_t layer);
  void attend_floats(const float* qkv);
  void finish_layer(std::size_t layer, Range rows);
  void feed_forward(const Layer& layer, Range rows);
  void normalise(const Norm& norm, Range rows);
  void add_up(std::size_t state, Range rows);
  void keep(std::size_t state, Range rows);

  const Bert& bert_;
  const std::span<const Layer> layers_;
  const std::size_t first_, tokens_;
  const Source& source_;
  BertScratch& scratch_;
  BertScratch::Own& own_;
  const Member member_;
  const Range share_;
};

void Bert::Pass::embed(Range rows) {
  for (std::size_t t = rows.first; t < rows.end; ++t) {
    const std::int32_t id = source_.ids[t];
    SBX_ASSERT(id >= 0 && static_cast<std::size_t>(id) < bert_.config_.vocabulary);
    float* row = hidden_row(t);
    const auto read = bert_.words_.read(static_cast<std::uint64_t>(id) * hidden(), {row, hidden()});
    SBX_ASSERT(read.has_value());
    bert_.format_.kernels->layer_norm(
        row, &bert_.positions_[t * hidden()], bert_.embedding_norm_.scale.data(),
        bert_.embedding_norm_.shift.data(), bert_.config_.epsilon, hidden(), row);
    scratch_.input.set_row(t, row);
  }
  add_up(0, rows);
}

void Bert::Pass::resume(Range rows) {
  for (std::size_t t = rows.first; t < rows.end; ++t) {
    float* row = hidden_row(t);
    std::copy_n(source_.state + t * hidden(), hidden(), row);
    scratch_.input.set_row(t, row);
  }
}

void Bert::Pass::project_qkv(std::size_t layer, Range rows) {
  const std::size_t stride = 3 * hidden();
  float* qkv = scratch_.qkv[layer % 2].data();
  const bool bf16 = bert_.attends_in_bf16();
  void* to = bf16 ? static_cast<void*>(reinterpret_cast<std::uint16_t*>(qkv) + rows.first * stride)
                  : qkv + rows.first * stride;
  layers_[layer].qkv.apply(scratch_.input, rows.first, rows.count(),
                           bf16 ? Store::kBf16 : Store::kFloat, to, stride);
}

// softmax(Q K^T) V of the queries of the share, into scratch.mixed.
void Bert::Pass::attend(std::size_t layer) {
  const float* qkv = scratch_.qkv[layer % 2].data();
  if (share_.count() == 0) return;
  if (!bert_.attends_in_bf16()) return attend_floats(qkv);
  const std::size_t width = hidden() / bert_.config_.heads;
  const std::size_t need = tensor::attention_scratch(tokens_, width);
  own_.attention.resize(need);
  bert_.format_.dot->attend({.qkv = reinterpret_cast<const std::uint16_t*>(qkv),
                             .qkv_stride = 3 * hidden(),
                             .tokens = tokens_,
                             .heads = bert_.config_.heads,
                             .width = width,
                             .query_first = share_.first,
                             .query_end = share_.end,
                             .context = scratch_.mixed.data(),
                             .context_stride = hidden(),
                             .scratch = {own_.attention.data(), need}});
}

// Query rows go in blocks so that their scores stay in the first-level cache.
void Bert::Pass::attend_floats(const float* qkv) {
  constexpr std::size_t kBlock = 12;
  const Kernels& kernels = *bert_.format_.kernels;
  const std::size_t tokens = tokens_, width = hidden() / bert_.config_.heads;
  const std::size_t stride = 3 * hidden(), padded = tensor::round_up(tokens, Kernels::kPanel);
  own_.attention.resize(padded * width + kBlock * padded);
  float* packed = own_.attention.data();
  float* scores = packed + padded * width;
  std::fill_n(packed, padded * width, 0.0f);
  for (std::size_t head = 0; head < bert_.config_.heads; ++head) {
    const float* queries = qkv + head * width;
    const float* keys = queries + hidden();
    for (std::size_t t = 0; t < tokens; ++t) {
      float* to = packed + t / Kernels::kPanel * width * Kernels::kPanel + t % Kernels::kPanel;
      for (std::size_t k = 0; k < width; ++k) to[k * Kernels::kPanel] = keys[t * stride + k];
    }
    for (std::size_t row = share_.first; row < share_.end; row += kBlock) {
      const std::size_t rows = std::min(kBlock, share_.end - row);
      kernels.gemm({.a = queries + row * stride,
                    .a_stride = stride,
                    .b = packed,
                    .b_row_stride = Kernels::kPanel,
                    .b_panel_stride = width * Kernels::kPanel,
                    .c = scores,
                    .c_stride = padded,
                    .rows = rows,
                    .depth = width,
                    .columns = padded});
      for (std::size_t r = 0; r < rows; ++r) kernels.softmax(scores + r * padded, tokens);
      kernels.gemm({.a = scores,
                    .a_stride = padded,
                    .b = keys + hidden(),  // the values
                    .b_row_stride = stride,
                    .b_panel_stride = Kernels::kPanel,
                    .c = scratch_.mixed.data() + row * hidden() + head * width,
                    .c_stride = hidden(),
                    .rows = rows,
                    .depth = tokens,
                    .columns = width});
    }
  }
}

// From attention's answers to the next hidden state; rows do not see one another any more.
void Bert::Pass::finish_layer(std::size_t index, Range rows) {
  const Layer& layer = layers_[index];
  float* mixed = scratch_.mixed.data() + rows.first * hidden();
  for (std::size_t t = rows.first; t < rows.end; ++t)
    scratch_.context.set_row(t, scratch_.mixed.data() + t * hidden());
  layer.attended.apply(scratch_.context, rows.first, rows.count(), Store::kFloat, mixed, hidden());
  normalise(layer.attention_norm, rows);
  feed_forward(layer, rows);
  normalise(layer.output_norm, rows);
  add_up(first_ + index + 1, rows);
}

void Bert::Pass::feed_forward(const Layer& layer, Range rows) {
  auto& inner = scratch_.inner;
  const std::size_t width = bert_.config_.inner;
  if (inner.precision() == Precision::kInt8) {
    // A row's scale is known only when all of it is; until then it waits in floats.
    const std::size_t stride = width + 16;  // a cache line more, as in Activations
    own_.rows.resize(rows.count() * stride);
    layer.inner.apply(scratch_.input, rows.first, rows.count(), Store::kGelu, own_.rows.data(),
                      stride);
    for (std::size_t i = 0; i < rows.count(); ++i)
      inner.set_row(rows.first + i, own_.rows.data() + i * stride);
  } else {
    layer.inner.apply(scratch_.input, rows.first, rows.count(),
                      inner.precision() == Precision::kBf16 ? Store::kGeluBf16 : Store::kGelu,
                      inner.row(rows.first), inner.stride_elements());
  }
  layer.outer.apply(inner, rows.first, rows.count(), Store::kFloat,
                    scratch_.mixed.data() + rows.first * hidden(), hidden());
}

// hidden = LayerNorm(mixed + hidden), and the same as input of the next product.
void Bert::Pass::normalise(const Norm& norm, Range rows) {
  for (std::size_t t = rows.first; t < rows.end; ++t) {
    float* state = hidden_row(t);
    bert_.format_.kernels->layer_norm(scratch_.mixed.data() + t * hidden(), state,
                                      norm.scale.data(), norm.shift.data(), bert_.config_.epsilon,
                                      hidden(), state);
    scratch_.input.set_row(t, state);
  }
}

void Bert::Pass::add_up(std::size_t state, Range rows) {
  const std::size_t blocks = (tokens_ + kMeanBlock - 1) / kMeanBlock;
  float* sums = scratch_.sums.data() + state * blocks * hidden();
  for (std::size_t t = rows.first; t < rows.end; ++t) {
    float* sum = sums + t / kMeanBlock * hidden();
    if (t % kMeanBlock == 0) std::fill_n(sum, hidden(), 0.0f);
    bert_.format_.kernels->accumulate(hidden_row(t), hidden(), sum);
  }
  if (source_.state == nullptr) keep(state, rows);
}

// Copies the rows where the caller wants this state token by token.
void Bert::Pass::keep(std::size_t state, Range rows) {
  const auto& kept = scratch_.kept_states;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] != state) continue;
    std::copy_n(hidden_row(rows.first), rows.count() * hidden(),
                scratch_.kept.data() + (i * tokens_ + rows.first) * hidden());
  }
}

void Bert::forward(std::span<const std::int32_t> ids, BertScratch& scratch,
                   std::span<const std::size_t> kept) const {
  const std::size_t tokens = ids.size(), hidden = config_.hidden;
  SBX_ASSERT(tokens >= 1 && tokens <= config_.positions);
  scratch.kept.resize(kept.size() * tokens * hidden);
  scratch.kept_states = kept;
  run_layers(layers_, 0, tokens, {.ids = ids}, scratch);
}

void Bert::forward_top(const TopLayers& top, std::size_t tokens, std::size_t kept_index,
                       BertScratch& scratch) const {
  SBX_ASSERT(scratch.kept_states[kept_index] == top.first_);
  run_layers(top.layers_, top.first_, tokens,
             {.state = scratch.kept.data() + kept_index * tokens * config_.hidden}, scratch);
}

void Bert::run_layers(std::span<const Layer> layers, std::size_t first, std::size_t tokens,
                      const Source& source, BertScratch& scratch) const {
  const std::size_t hidden = config_.hidden;
  const std::size_t blocks = (tokens + kMeanBlock - 1) / kMeanBlock;
  scratch.hidden.resize(tokens * hidden);
  scratch.means.resize((config_.layers + 1) * hidden);
  scratch.sums.resize((config_.layers + 1) * blocks * hidden);
  // The last panel of values may be read past its end.
  for (auto& qkv : scratch.qkv) qkv.resize(tokens * 3 * hidden + Kernels::kPanel);
  scratch.mixed.resize(tokens * hidden);
  scratch.input.resize(format_.precision, *format_.dot, tokens, hidden);
  scratch.context.resize(format_.precision, *format_.dot, tokens, hidden);
  scratch.inner.resize(format_.precision, *format_.dot, tokens, config_.inner);
  scratch.own.resize(
      std::max<std::size_t>(scratch.own.size(), scratch.crew ? scratch.crew->size_max() : 1));
  const auto work = [&](const Member& member) {
    Pass(*this, layers, first, tokens, source, scratch, member).run();
  };
  if (scratch.crew != nullptr && tokens >= kCrewTokensMin) {
    scratch.crew->run(work);
  } else {
    work(Member{});
  }
  // The state that a pass resumes from has been averaged before.
  for (std::size_t state = source.state == nullptr ? 0 : first + 1; state <= config_.layers;
       ++state) {
    float* mean = scratch.means.data() + state * hidden;
    std::fill_n(mean, hidden, 0.0f);
    for (std::size_t block = 0; block < blocks; ++block) {
      format_.kernels->accumulate(scratch.sums.data() + (state * blocks + block) * hidden, hidden,
                                  mean);
    }
    for (std::size_t i = 0; i < hidden; ++i) mean[i] /= static_cast<float>(tokens);
  }
}

}  // namespace signalbox::encoder
