// Names of models: what a client or a decision may call a model, and which entry it means.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/model.h"

namespace signalbox::config {

struct Target {
  const Model* model = nullptr;  // never null in a result; borrowed from the Config
  std::string adapter;           // LoRA adapter, or empty

  // The name sent upstream when the decision says nothing else: adapter, else provider_model_id, else the name.
  const std::string& upstream_name() const;
  // The name in metrics: adapter, else the model's own.
  const std::string& shown_name() const { return adapter.empty() ? model->name : adapter; }
};

// An alias stands for what it names. Then, in this order: a model with a provider of that name; an adapter of a model with
// a provider; any model or card of that name; any adapter; a provider_model_id; an external id. The published file names
// general-expert as default model: a card without a provider and at the same time an adapter of base-model; the adapter
// is what can be served. O(models * adapters); the pipeline keeps an index.
std::optional<Target> resolve_name(const Config& config, std::string_view name);

// As above for a model reference of a decision: lora_name wins over the model's own name.
std::optional<Target> resolve_ref(const Config& config, const ModelRef& ref);

}  // namespace signalbox::config
