#include "config/join.h"

#include <algorithm>
#include <utility>

namespace signalbox::config {
namespace {

void add_card(std::vector<Model>& models, Model card) {
  const auto found = std::ranges::find(models, card.name, &Model::name);
  if (found == models.end()) {
    models.push_back(std::move(card));
    return;
  }
  found->param_size = std::move(card.param_size);
  found->context_window_tokens = card.context_window_tokens;
  found->description = std::move(card.description);
  found->capabilities = std::move(card.capabilities);
  found->tags = std::move(card.tags);
  found->quality_score = card.quality_score;
  found->modality = std::move(card.modality);
  // A recipe's card of the same model may name further adapters.
  for (auto& lora : card.loras) {
    if (std::ranges::find(found->loras, lora.name, &Lora::name) == found->loras.end()) {
      found->loras.push_back(std::move(lora));
    }
  }
}

void join_models(Document& document, Config& config) {
  config.providers = std::move(document.providers);
  for (auto& card : document.routing.cards) add_card(config.providers.models, std::move(card));
  for (auto& recipe : document.recipes) {
    for (auto& card : recipe.routing.cards) add_card(config.providers.models, std::move(card));
  }
}

Routing join_routing(RoutingDocument document, const GlobalDocument& global) {
  Routing routing = std::move(document.routing);
  routing.strategy = document.strategy.value_or(global.strategy.value_or(Strategy::kPriority));
  return routing;
}

void join_global(GlobalDocument& global, const Given& given, Config& config) {
  if (!global.auto_model_names.empty())
    config.auto_model_names = std::move(global.auto_model_names);
  auto& names = config.auto_model_names;
  if (!global.auto_model_name.empty() &&
      std::ranges::find(names, global.auto_model_name) == names.end()) {
    names.push_back(global.auto_model_name);
  }
  config.include_config_models_in_list = global.include_config_models_in_list;
  config.clear_route_cache = global.clear_route_cache;
  config.skip_processing = global.skip_processing;
  config.domain_threshold = global.domain_threshold;
  config.domain_fallback_category = std::move(global.domain_fallback_category);
  config.hub_models = std::move(global.hub_models);
  config.tracing = std::move(global.tracing);
  if (!given.user_id_header && !global.user_id_header.empty())
    config.own.user_id_header = global.user_id_header;
  if (!given.user_groups_header && !global.user_groups_header.empty()) {
    config.own.user_groups_header = global.user_groups_header;
  }
}

void join_listener(const Given& given, Config& config) {
  if (config.listeners.empty()) return;
  const Listener& first = config.listeners.front();
  if (!given.http) {
    config.own.http.address = first.address;
    config.own.http.port = first.port;
  }
  if (!given.total_timeout && first.timeout.count() > 0)
    config.own.limits.total_timeout = first.timeout;
}

}  // namespace

Config join(Document document, Generation generation, const Given& given) {
  Config config;
  config.generation = generation;
  config.own = std::move(document.own);
  config.listeners = std::move(document.listeners);
  join_models(document, config);
  config.routing = join_routing(std::move(document.routing), document.global);
  for (auto& recipe : document.recipes) {
    config.recipes.push_back({std::move(recipe.name), std::move(recipe.description),
                              join_routing(std::move(recipe.routing), document.global)});
  }
  config.entrypoints = std::move(document.entrypoints);
  join_global(document.global, given, config);
  join_listener(given, config);
  return config;
}

}  // namespace signalbox::config
