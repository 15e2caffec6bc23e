#include "discovery/merge.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace signalbox::discovery {
namespace {

using config::Model;

// A copy of the configuration that grows by what is found.
class Merger {
 public:
  Merger(const config::Config& base, const EndpointSet& set) : config_(base) {
    for (const EndpointEntry& entry : set.endpoints()) {
      if (entry.served) served_.emplace(entry.endpoint->url(), entry.served.get());
    }
  }

  void place(const Placement& placement) {
    if (!placement.model.empty()) {
      add_backend(placement.model, placement.backend);
      return;
    }
    const auto served = served_.find(placement.backend.url());
    if (served == served_.end()) return;
    for (const ServedModel& model : served->second->models) {
      if (model.parent.empty() || !served->second->has(model.parent))
        add_backend(model.name, placement.backend);
    }
  }

  // After all models have their backends.
  void add_adapters() {
    std::vector<std::pair<std::string, std::string>> found;  // base model, adapter
    for (const Model& model : config_.providers.models) {
      for (const config::BackendRef& backend : model.backends) {
        const auto served = served_.find(backend.url());
        if (served == served_.end()) continue;
        for (const ServedModel& entry : served->second->models) {
          if (!entry.parent.empty() && is_base(model, entry.parent, backend.url()))
            found.emplace_back(model.name, entry.name);
        }
      }
    }
    for (auto& [base, adapter] : found) add_adapter(base, std::move(adapter));
  }

  void keep_seen(SeenModels& seen) {
    for (const Model& model : config_.providers.models) {
      if (model.backends.empty() || seen.size() >= limits::kServedModelsMax) continue;
      seen.insert(model.name);
    }
    for (const std::string& name : seen) {
      if (find(name) == nullptr) make(name);
    }
  }

  std::shared_ptr<const config::Config> finish(std::shared_ptr<const config::Config> base) {
    // Comparing costs less than compiling again, and most looks at engines find nothing new.
    if (config_.providers == base->providers) return base;
    return std::make_shared<const config::Config>(std::move(config_));
  }

 private:
  Model* find(std::string_view name) {
    auto& models = config_.providers.models;
    const auto at = std::ranges::find(models, name, &Model::name);
    return at == models.end() ? nullptr : &*at;
  }
  Model& make(const std::string& name) {
    Model& model = config_.providers.models.emplace_back();
    model.name = name;
    model.has_provider = true;
    return model;
  }

  void add_backend(const std::string& name, const config::BackendRef& backend) {
    Model* model = find(name);
    if (model == nullptr) model = &make(name);
    model->has_provider = true;
    const bool known = std::ranges::any_of(model->backends, [&](const config::BackendRef& other) {
      return other.url() == backend.url();
    });
    if (!known) model->backends.push_back(backend);
  }

  // The parent by its name; where an engine calls it otherwise than the file, the first model of that engine.
  bool is_base(const Model& model, std::string_view parent, const std::string& url) {
    if (model.name == parent || model.provider_model_id == parent) return true;
    if (find(parent) != nullptr) return false;
    for (const Model& other : config_.providers.models) {
      for (const config::BackendRef& backend : other.backends) {
        if (backend.url() != url) continue;
        return &other == &model;
      }
    }
    return false;
  }

  void add_adapter(const std::string& base, std::string adapter) {
    if (const Model* same = find(adapter); same != nullptr && same->has_provider) return;
    for (const Model& model : config_.providers.models) {
      if (std::ranges::find(model.loras, adapter, &config::Lora::name) != model.loras.end()) return;
    }
    find(base)->loras.push_back({std::move(adapter), {}});
  }

  config::Config config_;
  std::map<std::string, const ServedModels*, std::less<>> served_;
};

}  // namespace

std::shared_ptr<const config::Config> merge_engines(std::shared_ptr<const config::Config> base,
                                                    std::span<const Placement> placements,
                                                    const EndpointSet& set, SeenModels& seen) {
  Merger merger(*base, set);
  for (const Placement& placement : placements) merger.place(placement);
  merger.add_adapters();
  merger.keep_seen(seen);
  return merger.finish(std::move(base));
}

}  // namespace signalbox::discovery
