#include "encoder/classifier_model.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "encoder/hub/classifier_head.h"
#include "encoder/hub/label_prompt.h"
#include "encoder/hub/model_files.h"
#include "encoder/hub/trunk.h"
#include "encoder/windows.h"
#include "tokenize/unicode.h"

namespace signalbox::encoder {
namespace {

// Room for tokens that a prompt around a window may have more than the prompt and the window apart.
constexpr std::size_t kPromptSlack = 8;

// The tokens of a text; of a text that is too long those of its head and its tail.
void tokenize_bounded(const tokenize::Tokenizer& tokenizer, std::string_view text,
                      std::vector<std::int32_t>& ids, std::vector<tokenize::WordSpan>& spans) {
  ids.clear();
  spans.clear();
  if (text.size() <= limits::kTokenizeBytesMax) return tokenizer.tokenize(text, ids, &spans);
  const std::size_t head = tokenize::utf8_prefix(text, limits::kTokenizeBytesMax / 4 * 3);
  const std::size_t tail = tokenize::utf8_prefix(text, text.size() - limits::kTokenizeBytesMax / 4);
  tokenizer.tokenize(text.substr(0, head), ids, &spans);
  const std::size_t of_head = ids.size();
  tokenizer.tokenize(text.substr(tail), ids, &spans);
  for (std::size_t i = of_head; i < spans.size(); ++i) {
    spans[i].begin += tail;
    spans[i].end += tail;
  }
}

void to_probabilities(std::vector<float>& scores, bool multi_label,
                      const tensor::Kernels& kernels) {
  if (multi_label) {
    for (float& score : scores) score = 1.0f / (1.0f + std::exp(-score));
  } else {
    kernels.softmax(scores.data(), scores.size());
  }
}

std::size_t prompt_tokens(const tokenize::Tokenizer& tokenizer, const LabelPrompt& prompt) {
  std::vector<std::int32_t> ids;
  tokenizer.tokenize(prompt.before, ids);
  tokenizer.tokenize(prompt.behind, ids);
  return ids.size();
}

}  // namespace

struct ClassifierWorkspace::State {
  TrunkScratch trunk;
  std::vector<std::int32_t> ids;  // of the text
  std::vector<tokenize::WordSpan> spans;
  std::vector<std::int32_t> window;  // of one pass, with what stands around it
};

ClassifierWorkspace::ClassifierWorkspace() : state_(std::make_unique<State>()) {}
ClassifierWorkspace::~ClassifierWorkspace() = default;
ClassifierWorkspace::ClassifierWorkspace(ClassifierWorkspace&&) noexcept = default;
ClassifierWorkspace& ClassifierWorkspace::operator=(ClassifierWorkspace&&) noexcept = default;

struct ClassifierModel::Parts {
  HubConfig config;
  HeadKind head_kind = HeadKind::kNone;
  const tensor::Kernels* kernels = nullptr;
  std::unique_ptr<const tokenize::Tokenizer> tokenizer;
  std::unique_ptr<const Trunk> trunk;
  ClassifierHead head;
  std::optional<LabelPrompt> prompt;
  std::vector<std::string> labels;
  std::size_t window_max = 0;   // tokens of the text in one pass
  std::size_t windows_max = 1;  // passes

  Result<void> load(ModelFiles files, const ClassifierOptions& options);
  Result<void> load_labels(ModelFiles& files);
  std::vector<Window> plan(std::size_t tokens) const;
  void frame(const Window& window, ClassifierWorkspace::State& state) const;
  void frame_prompt(std::string_view text, const Window& window,
                    ClassifierWorkspace::State& state) const;
};

Result<void> ClassifierModel::Parts::load(ModelFiles files, const ClassifierOptions& options) {
  config = files.config;
  head_kind = files.head_kind;
  kernels = options.kernels;
  tokenizer = std::move(files.tokenizer);
  if (head_kind == HeadKind::kNone) {
    return fail(Code::kUnsupported,
                "config.json names no class that classifies (..ForSequenceClassification, "
                "..ForTokenClassification, Qwen3ForCausalLM)",
                "architectures");
  }
  if (static_cast<std::size_t>(tokenizer->size()) > config.vocabulary)
    return fail(Code::kCorrupt, "the tokenizer has more tokens than the model has embeddings");
  std::size_t around = tokenizer->frame().before.size() + tokenizer->frame().after.size();
  if (head_kind == HeadKind::kLabelTokens) {
    if (files.classifier_json.empty()) {
      return fail(Code::kUnsupported,
                  "a language model needs a classifier.json that says which tokens are the labels; "
                  "generative guards are not supported");
    }
    SBX_TRY(prompt, LabelPrompt::parse(files.classifier_json, *tokenizer));
    around += prompt_tokens(*tokenizer, *prompt) + kPromptSlack;
    SBX_TRY(head, ClassifierHead::of_tokens(config, prompt->tokens, *files.weights, *kernels));
  } else {
    SBX_TRY(head, ClassifierHead::load(config, head_kind, *files.weights, *kernels));
  }
  SBX_CHECK_OK(load_labels(files));
  const std::size_t pass = std::min(config.positions, limits::kClassifierWindowTokens);
  if (pass <= around) return fail(Code::kCorrupt, "the model has no positions for any text");
  window_max = pass - around;
  windows_max = std::max<std::size_t>(1, options.tokens_max / pass);
  SBX_TRY(trunk, load_trunk(config, files.weights, pass, *kernels));
  files.weights->release_pages();
  return {};
}

Result<void> ClassifierModel::Parts::load_labels(ModelFiles& files) {
  labels = prompt ? prompt->names : std::move(files.labels);
  if (labels.size() == head.labels()) return {};
  if (!labels.empty() && !files.labels_are_of_base) {
    return fail(Code::kCorrupt, "the model has " + std::to_string(head.labels()) + " outputs for " +
                                    std::to_string(labels.size()) + " labels");
  }
  labels.clear();
  for (std::size_t i = 0; i < head.labels(); ++i) labels.push_back("LABEL_" + std::to_string(i));
  return {};
}

std::vector<Window> ClassifierModel::Parts::plan(std::size_t tokens) const {
  return plan_windows(
      tokens, {.whole_max = window_max, .window_max = window_max, .windows_max = windows_max});
}

// The input of one pass: a window with the tokenizer's frame.
void ClassifierModel::Parts::frame(const Window& window, ClassifierWorkspace::State& state) const {
  const auto& [before, after] = tokenizer->frame();
  const auto first = state.ids.begin() + static_cast<std::ptrdiff_t>(window.begin);
  state.window = before;
  state.window.insert(state.window.end(), first, first + static_cast<std::ptrdiff_t>(window.count));
  state.window.insert(state.window.end(), after.begin(), after.end());
  if (state.window.empty()) state.window.push_back(config.filler);
}

// The input of one pass: the prompt with the window's stretch of the text, tokenized together as the model
// was trained.
void ClassifierModel::Parts::frame_prompt(std::string_view text, const Window& window,
                                          ClassifierWorkspace::State& state) const {
  std::string_view stretch;
  if (window.count > 0) {
    const std::size_t begin = state.spans[window.begin].begin;
    const std::size_t end = state.spans[window.begin + window.count - 1].end;
    const bool whole = window.count == state.ids.size() && text.size() <= limits::kTokenizeBytesMax;
    stretch = whole ? text : text.substr(begin, std::max(begin, end) - begin);
  }
  const auto& [before, after] = tokenizer->frame();
  state.window = before;
  tokenizer->tokenize(prompt->before + std::string(stretch) + prompt->behind, state.window);
  state.window.insert(state.window.end(), after.begin(), after.end());
  const std::size_t pass = std::min(config.positions, limits::kClassifierWindowTokens);
  if (state.window.size() >
      pass) {  // the end, where the answer comes, is worth more than the middle
    const auto excess = static_cast<std::ptrdiff_t>(state.window.size() - pass);
    const auto middle = state.window.begin() + static_cast<std::ptrdiff_t>(pass / 2);
    state.window.erase(middle, middle + excess);
  }
  if (state.window.empty()) state.window.push_back(config.filler);
}

ClassifierModel::ClassifierModel(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
ClassifierModel::~ClassifierModel() = default;

Result<std::unique_ptr<const ClassifierModel>> ClassifierModel::load(
    const std::string& directory, const ClassifierOptions& options) {
  auto files = ModelFiles::open(directory, options.base_directory, options.mapping_path);
  auto parts = std::make_unique<Parts>();
  const auto loaded = files ? parts->load(std::move(*files), options)
                            : Result<void>(std::unexpected(std::move(files).error()));
  if (!loaded) {
    const Error& error = loaded.error();
    return fail(error.code,
                directory + ": " + error.message +
                    (error.param.empty() ? std::string() : " (" + error.param + ")"),
                error.param);
  }
  return std::unique_ptr<const ClassifierModel>(new ClassifierModel(std::move(parts)));
}

bool ClassifierModel::labels_tokens() const { return parts_->head_kind == HeadKind::kTokens; }
const std::vector<std::string>& ClassifierModel::labels() const { return parts_->labels; }

TextLabels ClassifierModel::classify(std::string_view text, ClassifierWorkspace& workspace) const {
  SBX_ASSERT(!labels_tokens());
  auto& state = *workspace.state_;
  tokenize_bounded(*parts_->tokenizer, text, state.ids, state.spans);
  const auto windows = parts_->plan(state.ids.size());
  TextLabels result;
  result.probabilities.assign(parts_->labels.size(), 0.0f);
  for (const Window& window : windows) {
    if (parts_->prompt) {
      parts_->frame_prompt(text, window, state);
    } else {
      parts_->frame(window, state);
    }
    parts_->trunk->forward(state.window, state.trunk);
    auto scores = parts_->head.of_sequence(state.trunk.hidden.data(), state.window.size());
    to_probabilities(scores, parts_->config.multi_label, *parts_->kernels);
    for (std::size_t i = 0; i < scores.size(); ++i)
      result.probabilities[i] += scores[i] / static_cast<float>(windows.size());
    result.windows.push_back(std::move(scores));
  }
  result.coverage = {tokens_seen(windows), state.ids.size(), windows.size()};
  return result;
}

TextEntities ClassifierModel::find(std::string_view text, ClassifierWorkspace& workspace) const {
  SBX_ASSERT(labels_tokens());
  auto& state = *workspace.state_;
  tokenize_bounded(*parts_->tokenizer, text, state.ids, state.spans);
  const auto windows = parts_->plan(state.ids.size());
  const std::size_t labels = parts_->labels.size();
  const std::size_t before = parts_->tokenizer->frame().before.size();
  std::vector<TokenLabel> tokens;
  std::vector<std::size_t> margins(state.ids.size(), 0);  // 1 + distance from the window's edge
  tokens.resize(state.ids.size());
  for (const Window& window : windows) {
    parts_->frame(window, state);
    parts_->trunk->forward(state.window, state.trunk);
    const auto scores = parts_->head.of_each(state.trunk.hidden.data(), state.window.size());
    for (std::size_t i = 0; i < window.count; ++i) {
      const std::size_t margin = 1 + std::min(i, window.count - 1 - i);
      if (margin <= margins[window.begin + i]) continue;
      margins[window.begin + i] = margin;
      const auto row = scores.begin() + static_cast<std::ptrdiff_t>((before + i) * labels);
      std::vector<float> one(row, row + static_cast<std::ptrdiff_t>(labels));
      to_probabilities(one, parts_->config.multi_label, *parts_->kernels);
      const auto best = std::ranges::max_element(one);
      tokens[window.begin + i] = {static_cast<int>(best - one.begin()), *best};
    }
  }
  // Tokens between windows were not looked at: an empty span takes no part.
  for (std::size_t i = 0; i < margins.size(); ++i) {
    if (margins[i] == 0) state.spans[i] = {};
  }
  TextEntities result;
  result.entities = merge_entities(text, state.spans, tokens, parts_->labels);
  result.coverage = {tokens_seen(windows), state.ids.size(), windows.size()};
  return result;
}

}  // namespace signalbox::encoder
