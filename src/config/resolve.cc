#include "config/resolve.h"

#include <algorithm>

namespace signalbox::config {
namespace {

const Model* find_adapter(const Config& config, std::string_view name, bool with_provider) {
  for (const auto& model : config.providers.models) {
    if (with_provider && !model.has_provider) continue;
    if (std::ranges::find(model.loras, name, &Lora::name) != model.loras.end()) return &model;
  }
  return nullptr;
}

const Model* find_alias(const Config& config, std::string_view name) {
  for (const auto& model : config.providers.models) {
    if (model.provider_model_id == name) return &model;
    for (const auto& [kind, id] : model.external_model_ids) {
      if (id == name) return &model;
    }
  }
  return nullptr;
}

}  // namespace

const std::string& Target::upstream_name() const {
  if (!adapter.empty()) return adapter;
  return model->provider_model_id.empty() ? model->name : model->provider_model_id;
}

std::optional<Target> resolve_name(const Config& config, std::string_view name) {
  if (name.empty()) return std::nullopt;
  if (const auto alias = config.providers.aliases.find(std::string(name));
      alias != config.providers.aliases.end()) {
    name = alias->second;
  }
  const Model* named = config.find_model(name);
  if (named != nullptr && named->has_provider) return Target{named, {}};
  if (const auto* base = find_adapter(config, name, true)) return Target{base, std::string(name)};
  if (named != nullptr) return Target{named, {}};
  if (const auto* base = find_adapter(config, name, false)) return Target{base, std::string(name)};
  if (const auto* aliased = find_alias(config, name)) return Target{aliased, {}};
  return std::nullopt;
}

std::optional<Target> resolve_ref(const Config& config, const ModelRef& ref) {
  auto target = resolve_name(config, ref.model);
  if (target && !ref.lora_name.empty()) target->adapter = ref.lora_name;
  return target;
}

}  // namespace signalbox::config
