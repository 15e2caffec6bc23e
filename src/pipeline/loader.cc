#include "pipeline/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/cpu.h"
#include "base/log.h"
#include "config/embedded_default.h"
#include "config/load.h"

namespace signalbox::pipeline {
namespace {

bool names_task_kind(const config::RuleNode& rule) {
  return rule.type == "task_kind" || std::ranges::any_of(rule.children, names_task_kind);
}

bool wants_encoder(const config::Routing& routing) {
  const auto& signals = routing.signals;
  return !signals.domains.empty() || !signals.embeddings.empty() || !signals.jailbreaks.empty() ||
         !signals.pii.empty() || !signals.complexities.empty() || !signals.fact_checks.empty() ||
         !signals.user_feedbacks.empty() ||
         std::ranges::any_of(routing.decisions, [](const config::Decision& decision) {
           return names_task_kind(decision.rules);
         });
}

bool wants_encoder(const config::Config& config) {
  return wants_encoder(config.routing) ||
         std::any_of(config.recipes.begin(), config.recipes.end(),
                     [](const config::Recipe& recipe) { return wants_encoder(recipe.routing); });
}

// Also beside the encoder, which knows only English.
bool wants_language(const config::Config& config) {
  return wants_encoder(config) || !config.routing.signals.languages.empty() ||
         std::any_of(config.recipes.begin(), config.recipes.end(),
                     [](const config::Recipe& recipe) {
                       return !recipe.routing.signals.languages.empty();
                     });
}

// Compute threads when the configuration does not say: half of the CPU budget, the other half is for I/O.
int encoder_threads(const config::Config& config) {
  if (config.own.encoder.threads > 0) return config.own.encoder.threads;
  return std::max(1, cpu_budget().threads() / 2);
}

struct ModuleOf {
  std::string_view key;  // below global.model_catalog.modules
  const config::HubModel& model;
  std::optional<encoder::Task> task;
};

std::array<ModuleOf, 5> modules_of(const config::HubModels& models) {
  using encoder::Task;
  return {{{"classifier.domain", models.domain, Task::kDomain},
           {"prompt_guard", models.prompt_guard, Task::kJailbreak},
           {"classifier.pii", models.pii, std::nullopt},
           {"hallucination_mitigation.fact_check", models.fact_check, Task::kFactCheck},
           {"feedback_detector", models.feedback, Task::kFeedback}}};
}

// The classifiers that the configuration wants in the place of ours. Names of models in a hub are not looked up: files of
// the reference system are full of them.
std::vector<encoder::HubTask> hub_tasks(const config::HubModels& models) {
  std::vector<encoder::HubTask> tasks;
  for (const ModuleOf& module : modules_of(models)) {
    const config::HubModel& model = module.model;
    if (model.model_id.empty()) continue;
    if (!std::filesystem::is_directory(model.model_id)) {
      log::info(
          "model_catalog.modules.{}.model_id: {} is no directory here, the shipped classifier is "
          "used",
          module.key, model.model_id);
      continue;
    }
    tasks.push_back({.task = module.task,
                     .directory = model.model_id,
                     .mapping_path = model.mapping_path,
                     .positive = model.positive_labels,
                     .threshold = model.threshold});
  }
  return tasks;
}

// An error of a classifier's directory as one of the configuration, with its place.
Error in_configuration(Error error, const std::string& file, const config::HubModels& models) {
  for (const ModuleOf& module : modules_of(models)) {
    if (module.model.model_id.empty() || error.param != module.model.model_id) continue;
    return {
        Code::kConfig,
        fmt::format("{}:{}: global.model_catalog.modules.{}.model_id: {} cannot be used: {}; give "
                    "the directory of a "
                    "BERT, ModernBERT or Qwen3 classifier (docs/models.md), or leave the key out",
                    file, module.model.line, module.key, error.param, error.message)};
  }
  return error;
}

}  // namespace

ConfigSource config_file_source(const std::string& file) {
  ConfigSource source;
  if (file.empty()) {
    source.name = "embedded default";
    source.load = [] {
      return config::load_text(config::embedded_default_yaml(), "embedded default");
    };
    return source;
  }
  source.name = file;
  source.files = {file};
  source.load = [file] { return config::load_file(file); };
  return source;
}

Result<std::shared_ptr<const config::Config>> Loader::read() {
  auto loaded = source_.load();
  if (!loaded) return std::unexpected(std::move(loaded).error());
  log::info("configuration {}: {}", source_.name,
            config::generation_words(loaded->config->generation));
  for (const auto& finding : loaded->findings) log::warning("{}", config::to_text(finding));
  return loaded->config;
}

// Models are loaded once, when a configuration first needs them; without them requests go down the ladder.
Result<void> Loader::load_models(const config::Config& config) {
  if (wants_language(config) && !language_) {
    if (auto loaded = signals::LanguageModel::load(directories_.models)) {
      language_ = std::make_unique<const signals::LanguageModel>(*std::move(loaded));
    } else {
      log::warning("language signals fail: {}", loaded.error().message);
    }
  }
  if (!wants_encoder(config) || !config.own.encoder.enabled) return {};
  auto hub = hub_tasks(config.hub_models);
  if (encoder_) {
    if (hub == hub_tasks_) return {};
    return fail(Code::kConfig,
                "global.model_catalog.modules: classifiers are loaded at the start only; restart "
                "to use others");
  }
  const auto directory =
      config.own.encoder.directory.empty() ? directories_.base : config.own.encoder.directory;
  auto loaded = encoder::Encoder::load(directory, directories_.models, {}, hub);
  if (!loaded) {
    Error error = in_configuration(std::move(loaded).error(), source_.name, config.hub_models);
    if (error.code == Code::kConfig) return std::unexpected(std::move(error));
    log::warning("no encoder, domains are guessed from keywords: {}", error.message);
    return {};
  }
  hub_tasks_ = std::move(hub);
  encoder_ = *std::move(loaded);
  const int threads = encoder_threads(config);
  encoder_pool_ = std::make_unique<encoder::Pool>(*encoder_, threads, services_.clock);
  log::info("encoder loaded from {} ({}, {} threads)", directory, encoder_->kernel(), threads);
  for (const encoder::HubTask& task : hub_tasks_)
    log::info("{} judged by {}", task.task ? encoder::task_name(*task.task) : "pii",
              task.directory);
  return {};
}

Result<void> Loader::load() {
  SBX_TRY(auto config, read());
  SBX_TRY(config, engines_.apply(std::move(config)));
  SBX_CHECK_OK(load_models(*config));
  const signals::Models models{.encoder = encoder_.get(), .language = language_.get()};
  SBX_TRY(const auto built,
          build_snapshot(config, epoch_ + 1, models, encoder_pool_.get(), compiled_.get()));
  auto snapshot = std::make_shared<Snapshot>(*built);
  snapshot->tokenizers = upstream::load_tokenizers(
      config->own.kv_events, compiled_ ? compiled_->tokenizers.get() : nullptr,
      services_.instruments);
  compiled_ = std::move(snapshot);
  base_ = std::move(config);
  ++epoch_;
  publish();
  services_.connections.max.store(base_->own.limits.connections_max);
  services_.instruments.config_epoch.set(static_cast<double>(epoch_));
  services_.instruments.config_loaded.set(
      std::chrono::duration<double>(services_.clock.unix_time()).count());
  return {};
}

void Loader::found(std::vector<discovery::Placement> placements) {
  found_ = std::move(placements);
  publish();
}

std::shared_ptr<const config::Config> Loader::merge() {
  std::vector<discovery::Placement> placements = found_;
  for (const config::BackendRef& engine : base_->providers.engines)
    placements.push_back({{}, engine});
  return discovery::merge_engines(base_, placements, *services_.endpoints.current(), seen_);
}

void Loader::refresh() {
  const auto merged = merge();
  if (merged->providers == services_.snapshots.current()->config->providers) return;
  publish();
}

// The endpoint table goes first: a request that sees a new model finds its engines.
void Loader::publish() {
  const auto merged = merge();
  auto watched = discovery::fixed_placements(*merged);
  for (const auto& placement : found_) {
    if (placement.model.empty()) watched.push_back(placement);
  }
  services_.endpoints.publish(*merged, watched);
  for (const auto& model : merged->providers.models)
    services_.instruments.incoming_requests.with(model.name);
  services_.snapshots.publish(merged == base_ ? compiled_ : with_engines(*compiled_, merged));
}

}  // namespace signalbox::pipeline
