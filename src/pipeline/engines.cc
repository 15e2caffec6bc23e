#include "pipeline/engines.h"

#include <fmt/core.h>

#include <utility>

#include "base/log.h"

namespace signalbox::pipeline {
namespace {

constexpr const char* kLoopback = "127.0.0.1";

config::BackendRef backend_of(std::uint16_t port, std::size_t number) {
  config::BackendRef backend;
  backend.name = fmt::format("sim-{}", number + 1);
  backend.host = kLoopback;
  backend.port = port;
  return backend;
}

// Every name that some model of the configuration may be asked for upstream: the engines serve them all.
std::vector<std::string> adapter_names(const config::Config& config, const std::string& base) {
  std::vector<std::string> names;
  for (const auto& model : config.providers.models) {
    const std::string& upstream =
        model.provider_model_id.empty() ? model.name : model.provider_model_id;
    if (model.has_provider && upstream != base) names.push_back(upstream);
    for (const auto& lora : model.loras) names.push_back(lora.name);
  }
  return names;
}

}  // namespace

Result<void> EmbeddedEngines::start(const config::Config& config) {
  std::vector<sim::EngineOptions> options;
  for (int i = 0; i < config.own.sim.replicas; ++i) {
    sim::EngineOptions engine;
    engine.name = fmt::format("sim-{}", i + 1);
    for (const auto& model : config.providers.models) {
      if (!model.has_provider) continue;
      engine.model = model.provider_model_id.empty() ? model.name : model.provider_model_id;
      break;
    }
    engine.adapters = adapter_names(config, engine.model);
    options.push_back(std::move(engine));
  }
  SBX_TRY(engines_, sim::Background::start(std::move(options)));
  log::info("{} demo engines run inside this process; their answers are simulated", ports().size());
  return {};
}

Result<std::shared_ptr<const config::Config>> EmbeddedEngines::apply(
    std::shared_ptr<const config::Config> config) {
  if (!config->own.sim.embedded) return config;
  if (!engines_) SBX_CHECK_OK(start(*config));
  auto changed = std::make_shared<config::Config>(*config);
  for (auto& model : changed->providers.models) {
    if (!model.has_provider) continue;
    model.backends.clear();
    for (std::size_t i = 0; i < engines_->ports().size(); ++i) {
      model.backends.push_back(backend_of(engines_->ports()[i], i));
    }
  }
  return std::shared_ptr<const config::Config>(std::move(changed));
}

std::vector<std::uint16_t> EmbeddedEngines::ports() const {
  return engines_ ? engines_->ports() : std::vector<std::uint16_t>{};
}

}  // namespace signalbox::pipeline
