#include "encoder/encoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "encoder/bert.h"
#include "encoder/domain_head.h"
#include "encoder/number_format.h"
#include "encoder/windows.h"
#include "json/document.h"
#include "tokenize/unicode.h"
#include "tokenize/wordpiece.h"

namespace signalbox::encoder {
namespace {

// [CLS] and [SEP] around each window.
constexpr std::size_t kSpecials = 2;

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
  std::vector<std::int32_t> ids;     // of the text, without special tokens
  std::vector<std::int32_t> window;  // of one pass, with them
};

Workspace::Workspace() : state_(std::make_unique<State>()) {}
Workspace::~Workspace() = default;
Workspace::Workspace(Workspace&&) noexcept = default;
Workspace& Workspace::operator=(Workspace&&) noexcept = default;
void Workspace::set_crew(tensor::Crew* crew) { state_->scratch.crew = crew; }

struct Encoder::Parts {
  Bert bert;
  tokenize::WordPiece tokenizer;
  Pooling pooling = Pooling::kMean;
  std::optional<DomainHead> domain;
};

Encoder::Encoder(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
Encoder::~Encoder() = default;

Result<std::unique_ptr<Encoder>> Encoder::load(const std::string& base_directory,
                                               const std::string& models_directory,
                                               std::optional<tensor::Precision> precision) {
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
  std::optional<DomainHead> domain;
  auto head = DomainHead::load(models_directory + "/domain", config.hidden, config.layers,
                               bert.fingerprint(), bert.kernels());
  if (head) {
    domain = std::move(*head);
  } else {
    log::warning("no domain classifier: {}", head.error().message);
  }
  auto parts = std::make_unique<const Parts>(
      Parts{std::move(bert), std::move(tokenizer), pooling, std::move(domain)});
  return std::unique_ptr<Encoder>(new Encoder(std::move(parts)));
}

Analysis Encoder::analyze(std::string_view text, Demand demand, Workspace& workspace) const {
  Analysis analysis;
  if (demands(demand, Demand::kDomain) && !parts_->domain) {
    analysis.error = Error{Code::kUnsupported, "no domain classifier is loaded"};
    return analysis;
  }
  auto& [scratch, ids, window] = *workspace.state_;
  ids.clear();
  const Bounded bounded = bound(text);
  parts_->tokenizer.tokenize(bounded.head, ids);
  parts_->tokenizer.tokenize(bounded.tail, ids);
  const double per_byte =
      static_cast<double>(ids.size()) /
      static_cast<double>(std::max<std::size_t>(1, bounded.head.size() + bounded.tail.size()));
  const double total =
      static_cast<double>(ids.size()) + per_byte * static_cast<double>(bounded.left_out_bytes);
  analysis.tokens_total =
      static_cast<int>(std::min(total, static_cast<double>(std::numeric_limits<int>::max())));
  if (demand == Demand::kNone) return analysis;

  const BertConfig& config = parts_->bert.config();
  const std::size_t positions = std::min(config.positions, limits::kEncoderTokensMax) - kSpecials;
  const auto windows = plan_windows(
      ids.size(), {.whole_max = positions,
                   .window_max = std::min(positions, limits::kEncoderWindowTokens - kSpecials),
                   .windows_max = limits::kEncoderWindowsMax});
  const auto part =
      1.0f / static_cast<float>(windows.size());  // windows of one text are equally long
  for (const Window& range : windows) {
    window.assign(1, parts_->tokenizer.cls());
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(range.begin);
    window.insert(window.end(), first, first + static_cast<std::ptrdiff_t>(range.count));
    window.push_back(parts_->tokenizer.sep());
    parts_->bert.forward(window, scratch);
    ++analysis.passes;
    const float* last = parts_->pooling == Pooling::kMean
                            ? scratch.means.data() + config.layers * config.hidden
                            : scratch.hidden.data();
    if (demands(demand, Demand::kEmbedding))
      add_scaled(analysis.embedding, {last, config.hidden}, part);
    if (demands(demand, Demand::kDomain)) {
      add_scaled(analysis.domain, parts_->domain->classify(scratch.means.data()), part);
    }
  }
  scale_to_unit(analysis.embedding);
  analysis.tokens_seen = static_cast<int>(tokens_seen(windows));
  return analysis;
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

std::span<const std::string_view> Encoder::domain_labels() { return domain_label_names(); }
bool Encoder::has_domain() const { return parts_->domain.has_value(); }
int Encoder::dimension() const { return static_cast<int>(parts_->bert.config().hidden); }
std::string_view Encoder::kernel() const { return parts_->bert.format_name(); }
std::string_view Encoder::domain_version() const {
  return parts_->domain ? std::string_view(parts_->domain->version()) : std::string_view();
}

}  // namespace signalbox::encoder
