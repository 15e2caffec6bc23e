#include "encoder/encoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "encoder/bert.h"
#include "encoder/entity_reader.h"
#include "encoder/hub_task.h"
#include "encoder/number_format.h"
#include "encoder/pooled_states.h"
#include "encoder/text_head.h"
#include "encoder/token_head.h"
#include "encoder/windows.h"
#include "json/document.h"
#include "tokenize/unicode.h"
#include "tokenize/wordpiece.h"

namespace signalbox::encoder {
namespace {

// [CLS] and [SEP] around each window.
constexpr std::size_t kSpecials = 2;
constexpr Demand kSafetyDemands =
    demand_of(Task::kJailbreak) | demand_of(Task::kInjection) | Demand::kPii;

enum class Pooling : std::uint8_t { kMean, kCls };

// 1_Pooling/config.json of sentence encoders; mean when there is none.
Result<Pooling> read_pooling(const std::string& path) {
  const auto text = read_file(path, limits::kModelMetadataBytesMax);
  if (!text) return Pooling::kMean;
  const auto document = json::Document::parse(*text);
  if (!document) return fail(Code::kCorrupt, path + ": " + document.error().message);
  SBX_TRY(const auto mean, document->root().find("pooling_mode_mean_tokens"));
  SBX_TRY(const auto cls, document->root().find("pooling_mode_cls_token"));
  if (mean && mean->boolean().value_or(false)) return Pooling::kMean;
  if (cls && cls->boolean().value_or(false)) return Pooling::kCls;
  return fail(Code::kUnsupported, path + ": only mean and [CLS] pooling are supported");
}

void scale_to_unit(std::vector<float>& vector) {
  double square = 0;
  for (const float x : vector) square += static_cast<double>(x) * static_cast<double>(x);
  if (square <= 0) return;
  const auto factor = static_cast<float>(1.0 / std::sqrt(square));
  for (float& x : vector) x *= factor;
}

void add_scaled(std::vector<float>& sum, std::span<const float> values, float weight) {
  sum.resize(values.size(), 0.0f);
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i] * weight;
}

// Head and tail of a text that is too long to tokenise whole; the middle is estimated by its bytes.
struct Bounded {
  std::string_view head, tail;
  std::size_t left_out_bytes = 0;
};
Bounded bound(std::string_view text) {
  if (text.size() <= limits::kTokenizeBytesMax) return {text, {}, 0};
  const std::size_t head = tokenize::utf8_prefix(text, limits::kTokenizeBytesMax / 4 * 3);
  const std::size_t tail = tokenize::utf8_prefix(text, text.size() - limits::kTokenizeBytesMax / 4);
  return {text.substr(0, head), text.substr(tail), tail - head};
}

}  // namespace

struct Workspace::State {
  BertScratch scratch;
  PooledStates pooled, adapted;
  std::vector<PooledStates> segments;
  std::vector<std::size_t> kept;          // states that heads read token by token
  std::vector<std::int32_t> ids;          // of the text, without special tokens
  std::vector<std::int32_t> window;       // of one pass, with them
  std::vector<tokenize::WordSpan> spans;  // of ids, where entities are demanded
  ClassifierWorkspace hub;
};

Workspace::Workspace() : state_(std::make_unique<State>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;
void Workspace::set_crew(tensor::Crew* crew) { state_->scratch.crew = crew; }

// Top layers that some heads read, by the name that their meta gives.
struct Adapter {
  std::string name;
  Bert::TopLayers layers;
};

// What the heads read of one window.
struct Encoder::WindowVerdicts {
  const PooledStates& states;
  const PooledStates* adapted;
  std::span<const std::vector<float>> words;  // by task, of the whole text
  // For stretches of it: what made `states`, and room for theirs.
  const BertScratch& scratch;
  std::size_t tokens;
  std::vector<PooledStates>& segments;
};

struct Encoder::Parts {
  Bert bert;
  tokenize::WordPiece tokenizer;
  Pooling pooling = Pooling::kMean;
  std::array<std::optional<TextHead>, kTaskCount> heads;
  std::vector<Adapter> adapters;
  std::optional<TokenHead> token_head;
  std::vector<HubModel> hub;  // judge in the place of the heads above, which hold their labels
};

namespace {

Result<TextHead> load_head(Task task, const std::string& models, const HeadBase& base,
                           const tensor::Kernels& kernels) {
  SBX_TRY(auto head, TextHead::load(models + "/" + std::string(task_name(task)), base, kernels));
  if (task == Task::kDomain && !std::ranges::equal(head.labels(), domain_label_names()))
    return fail(Code::kCorrupt, "the domain head has other labels");
  return head;
}

std::array<std::optional<TextHead>, kTaskCount> load_heads(const std::string& models,
                                                           const HeadBase& base,
                                                           const tensor::Kernels& kernels) {
  std::array<std::optional<TextHead>, kTaskCount> heads;
  for (const Task task : kTasks) {
    auto head = load_head(task, models, base, kernels);
    if (head) {
      heads[static_cast<std::size_t>(task)] = std::move(*head);
    } else if (task == Task::kDomain || head.error().code != Code::kIo) {
      log::warning("no {} classifier: {}", task_name(task), head.error().message);
    }
  }
  return heads;
}

Result<Adapter> load_adapter(const std::string& models, const AdaptedPart& wanted,
                             const Bert& bert) {
  SBX_TRY(const auto mapped,
          MappedFile::open(models + "/adapters/" + wanted.adapter + ".safetensors",
                           limits::kHeadFileBytesMax));
  SBX_TRY(const auto file, Safetensors::parse(mapped.bytes()));
  if (file.fingerprint() != wanted.fingerprint)
    return fail(Code::kCorrupt, "trained for another version of the adapter " + wanted.adapter);
  SBX_TRY(auto layers, bert.load_top(file));
  return Adapter{wanted.adapter, std::move(layers)};
}

// The adapters that heads ask for; a head whose adapter cannot be had is left out.
std::vector<Adapter> load_adapters(const std::string& models, const Bert& bert,
                                   std::array<std::optional<TextHead>, kTaskCount>& heads) {
  std::vector<Adapter> adapters;
  for (const Task task : kTasks) {
    auto& head = heads[static_cast<std::size_t>(task)];
    if (!head || head->meta().adapted.adapter.empty()) continue;
    const AdaptedPart& wanted = head->meta().adapted;
    if (std::ranges::find(adapters, wanted.adapter, &Adapter::name) != adapters.end()) continue;
    auto adapter = load_adapter(models, wanted, bert);
    if (adapter) {
      adapters.push_back(std::move(*adapter));
    } else {
      log::warning("no {} classifier: {}", task_name(task), adapter.error().message);
      head.reset();
    }
  }
  return adapters;
}

// Their labels take the place of our heads'.
Result<std::vector<HubModel>> load_hub_models(
    std::span<const HubTask> wanted, std::array<std::optional<TextHead>, kTaskCount>& heads) {
  std::vector<HubModel> models;
  for (const HubTask& task : wanted) {
    auto model = HubModel::load(task);
    if (!model) return fail(model.error().code, model.error().message, task.directory);
    if (task.task)
      heads[static_cast<std::size_t>(*task.task)] = TextHead::labels_only(model->head().meta());
    models.push_back(std::move(*model));
  }
  return models;
}

std::optional<TokenHead> load_token_head(const std::string& models, const TokenBase& base,
                                         const tensor::Kernels& kernels) {
  auto head = TokenHead::load(models + "/pii", base, kernels);
  if (head) return std::move(*head);
  if (head.error().code != Code::kIo) log::warning("no token head: {}", head.error().message);
  return std::nullopt;
}

// Safety tasks must see everything; for the others a sample of a long text is enough.
WindowLimits window_limits(const BertConfig& config, Demand demand) {
  const std::size_t positions = std::min(config.positions, limits::kEncoderTokensMax) - kSpecials;
  const std::size_t window = std::min(positions, limits::kEncoderWindowTokens - kSpecials);
  WindowLimits made{
      .whole_max = positions, .window_max = window, .windows_max = limits::kEncoderWindowsMax};
  if (demands(demand, kSafetyDemands)) {
    made.windows_max = std::max<std::size_t>(1, limits::kEncoderSafetyTokensMax / window);
    made.overlap = std::min(limits::kEncoderWindowOverlap, window / 2);
  }
  return made;
}

}  // namespace

Encoder::Encoder(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Encoder::~Encoder() = default;

Result<std::unique_ptr<Encoder>> Encoder::load(const std::string& base_directory,
                                               const std::string& models_directory,
                                               std::optional<tensor::Precision> precision,
                                               std::span<const HubTask> hub) {
  SBX_TRY(const auto config_text,
          read_file(base_directory + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(const auto config, BertConfig::parse(config_text));
  SBX_TRY(auto tokenizer, tokenize::WordPiece::load(base_directory));
  if (static_cast<std::size_t>(tokenizer.size()) > config.vocabulary) {
    return fail(Code::kCorrupt,
                base_directory + ": the tokenizer has more pieces than the model has embeddings");
  }
  if (config.positions <= kSpecials)
    return fail(Code::kCorrupt, base_directory + ": no positions for any text");
  SBX_TRY(const auto format, choose_format(precision));
  SBX_TRY(auto bert, Bert::load(base_directory + "/model.safetensors", config, format));
  SBX_TRY(const auto pooling, read_pooling(base_directory + "/1_Pooling/config.json"));
  const HeadBase base{.states = PooledStates::count(config.layers),
                      .hidden = config.hidden,
                      .fingerprint = bert.fingerprint()};
  auto heads = load_heads(models_directory, base, bert.kernels());
  SBX_TRY(auto hub_models, load_hub_models(hub, heads));
  auto adapters = load_adapters(models_directory, bert, heads);
  auto token_head = load_token_head(
      models_directory,
      {.states = config.layers + 1, .hidden = config.hidden, .fingerprint = bert.fingerprint()},
      bert.kernels());
  auto parts = std::make_unique<const Parts>(Parts{std::move(bert), std::move(tokenizer), pooling,
                                                   std::move(heads), std::move(adapters),
                                                   std::move(token_head), std::move(hub_models)});
  return std::unique_ptr<Encoder>(new Encoder(std::move(parts)));
}

// The word pieces of `text` in workspace ids, and how many there would be without limits. `spans`,
// unless null, gets the place of each.
int Encoder::tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                      std::vector<tokenize::WordSpan>* spans) const {
  ids.clear();
  if (spans != nullptr) spans->clear();
  const Bounded bounded = bound(text);
  parts_->tokenizer.tokenize(bounded.head, ids, spans);
  const std::size_t head_pieces = ids.size();
  parts_->tokenizer.tokenize(bounded.tail, ids, spans);
  for (std::size_t i = head_pieces; spans != nullptr && i < ids.size(); ++i) {
    (*spans)[i].begin += text.size() - bounded.tail.size();
    (*spans)[i].end += text.size() - bounded.tail.size();
  }
  const double per_byte =
      static_cast<double>(ids.size()) /
      static_cast<double>(std::max<std::size_t>(1, bounded.head.size() + bounded.tail.size()));
  const double total =
      static_cast<double>(ids.size()) + per_byte * static_cast<double>(bounded.left_out_bytes);
  return static_cast<int>(std::min(total, static_cast<double>(std::numeric_limits<int>::max())));
}

Analysis Encoder::analyze(std::string_view text, Demand demand, Workspace& workspace) const {
  Analysis analysis;
  auto& state = *workspace.state_;
  const Demand own = own_part(demand);
  analysis.tokens_total =
      tokenize(text, state.ids, demands(own, Demand::kPii) ? &state.spans : nullptr);
  if (demand == Demand::kNone) return analysis;
  std::vector<pii::Entity> names;
  if (own != Demand::kNone) run_windows(text, own, workspace, analysis, names);
  ask_hub_models(text, demand, workspace, analysis);
  if (demands(demand, Demand::kPii)) {
    if (!demands(own, Demand::kPii)) names = std::move(analysis.entities);
    analysis.entities = pii::merge(identifiers_of(text), names);
  }
  scale_to_unit(analysis.embedding);
  return analysis;
}

void Encoder::run_windows(std::string_view text, Demand demand, Workspace& workspace,
                          Analysis& analysis, std::vector<pii::Entity>& names) const {
  auto& [scratch, pooled, adapted, segments, kept, ids, window, spans, hub] = *workspace.state_;
  std::optional<EntityReader> reader;
  kept.clear();
  if (demands(demand, Demand::kPii) && parts_->token_head) {
    reader.emplace(text, spans, *parts_->token_head, parts_->bert.config().hidden);
    const auto states = parts_->token_head->states();
    kept.assign(states.begin(), states.end());
  }
  const std::size_t first_below = kept.size();
  for (const Adapter& adapter : parts_->adapters)
    if (wants(demand, adapter)) kept.push_back(adapter.layers.first_layer());

  const BertConfig& config = parts_->bert.config();
  const auto windows = plan_windows(ids.size(), window_limits(config, demand));
  const auto part =
      1.0f / static_cast<float>(windows.size());  // windows of one text are equally long
  std::array<std::vector<float>, kTaskCount> words;
  for (const Task task : kTasks) {
    if (head(task) != nullptr && demands(demand, task))
      words[static_cast<std::size_t>(task)] = head(task)->judge_words(text);
  }
  for (const Window& range : windows) {
    window.assign(1, parts_->tokenizer.cls());
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(range.begin);
    window.insert(window.end(), first, first + static_cast<std::ptrdiff_t>(range.count));
    window.push_back(parts_->tokenizer.sep());
    parts_->bert.forward(window, scratch, kept);
    ++analysis.passes;
    analysis.passes_used += 1;
    pooled.assign(config, scratch, window.size());
    const float* last =
        parts_->pooling == Pooling::kMean ? pooled.last_mean() : scratch.hidden.data();
    if (demands(demand, Demand::kEmbedding))
      add_scaled(analysis.embedding, {last, config.hidden}, part);
    classify_window(demand, nullptr, {pooled, nullptr, words, scratch, window.size(), segments},
                    part, analysis);
    if (reader) reader->add(range, scratch);
    std::size_t below = first_below;
    for (const Adapter& adapter : parts_->adapters) {
      if (!wants(demand, adapter)) continue;
      parts_->bert.forward_top(adapter.layers, window.size(), below++, scratch);
      adapted.assign(config, scratch, window.size());
      classify_window(demand, &adapter, {pooled, &adapted, words, scratch, window.size(), segments},
                      part, analysis);
      analysis.passes_used +=
          static_cast<double>(adapter.layers.layers()) / static_cast<double>(config.layers);
    }
  }
  if (reader) names = reader->entities();
  analysis.tokens_seen = static_cast<int>(tokens_seen(windows));
}

Demand Encoder::own_part(Demand demand) const {
  auto own = static_cast<unsigned>(demand);
  for (const HubModel& model : parts_->hub) {
    const Demand its = model.task() ? demand_of(*model.task()) : Demand::kPii;
    own &= ~static_cast<unsigned>(its);
  }
  return static_cast<Demand>(own);
}

void Encoder::ask_hub_models(std::string_view text, Demand demand, Workspace& workspace,
                             Analysis& analysis) const {
  for (const HubModel& model : parts_->hub) {
    Coverage coverage;
    auto& scratch = workspace.state_->hub;
    if (!model.task()) {
      if (!demands(demand, Demand::kPii)) continue;
      analysis.entities = model.find(text, scratch, coverage);
    } else {
      if (!demands(demand, *model.task())) continue;
      analysis.probabilities[static_cast<std::size_t>(*model.task())] =
          model.classify(text, scratch, coverage);
    }
    analysis.passes += static_cast<int>(coverage.passes);
    analysis.passes_used += static_cast<double>(coverage.passes);
    analysis.tokens_seen = std::max(analysis.tokens_seen, static_cast<int>(coverage.tokens_seen));
  }
}

bool Encoder::wants(Demand demand, const Adapter& adapter) const {
  return std::ranges::any_of(kTasks, [&](Task task) {
    const TextHead* head = this->head(task);
    return head != nullptr && demands(demand, task) && head->meta().adapted.adapter == adapter.name;
  });
}

void Encoder::pool_segments(const WindowVerdicts& window, std::size_t size) const {
  const auto segments = plan_segments(window.tokens, size, kMeanBlock);
  window.segments.resize(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto [begin, count] = segments[i];
    window.segments[i].assign_part(parts_->bert.config(), window.scratch, window.tokens, begin,
                                   begin + count);
  }
}

void Encoder::classify_window(Demand demand, const Adapter* adapter, const WindowVerdicts& window,
                              float part, Analysis& analysis) const {
  const std::string_view name = adapter == nullptr ? std::string_view() : adapter->name;
  for (const Task task : kTasks) {
    const TextHead* head = this->head(task);
    if (head == nullptr || !demands(demand, task) || head->meta().adapted.adapter != name) continue;
    auto& so_far = analysis.probabilities[static_cast<std::size_t>(task)];
    pool_segments(window, head->meta().segment_tokens);
    auto found = head->classify({.states = window.states,
                                 .adapted = window.adapted,
                                 .words = window.words[static_cast<std::size_t>(task)],
                                 .segments = window.segments});
    if (head->meta().windows == Windows::kMean) {
      add_scaled(so_far, found, part);
    } else if (so_far.empty() || head->score(found) > head->score(so_far)) {
      so_far = std::move(found);
    }
  }
}

int Encoder::count_tokens(std::string_view text) const {
  std::vector<std::int32_t> ids;
  parts_->tokenizer.tokenize(text, ids);
  return static_cast<int>(ids.size());
}

Top top(std::span<const float> probabilities) {
  if (probabilities.empty()) return {};
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  return {static_cast<int>(best - probabilities.begin()), *best};
}

const TokenHead* Encoder::token_head() const {
  return parts_->token_head ? &*parts_->token_head : nullptr;
}
bool Encoder::finds_names() const {
  return parts_->token_head.has_value() ||
         std::ranges::any_of(parts_->hub, [](const HubModel& model) { return !model.task(); });
}
const TextHead* Encoder::head(Task task) const {
  const auto& head = parts_->heads[static_cast<std::size_t>(task)];
  return head ? &*head : nullptr;
}
int Encoder::dimension() const { return static_cast<int>(parts_->bert.config().hidden); }
std::string_view Encoder::kernel() const { return parts_->bert.format_name(); }

}  // namespace signalbox::encoder
