#include "pipeline/naming.h"

#include <algorithm>
#include <optional>

namespace signalbox::pipeline {
namespace {

constexpr std::string_view kDefaultEffort = "medium";

// What the engine is told: an adapter's own name, else the provider's id, else the name itself.
std::string upstream_name(const config::Target& target) {
  if (!target.adapter.empty()) return target.adapter;
  if (!target.model->provider_model_id.empty()) return target.model->provider_model_id;
  return target.model->name;
}

exchange::Candidate make_candidate(const config::Target& target) {
  exchange::Candidate candidate;
  candidate.model = target.model;
  candidate.adapter = target.adapter;
  candidate.upstream_name = upstream_name(target);
  candidate.public_name = target.adapter.empty() ? target.model->name : target.adapter;
  return candidate;
}

std::optional<exchange::Candidate> candidate_of_ref(const config::Config& config,
                                                    const config::ModelRef& ref) {
  // A ref may name the base model and an adapter of it, or only one name that is itself an adapter.
  auto target = config::resolve_name(config, ref.model);
  if (!target) return std::nullopt;
  if (!ref.lora_name.empty()) target->adapter = ref.lora_name;
  auto candidate = make_candidate(*target);
  candidate.use_reasoning = ref.use_reasoning;
  candidate.reasoning_effort = !ref.reasoning_effort.empty() ? ref.reasoning_effort
                               : !config.providers.default_reasoning_effort.empty()
                                   ? config.providers.default_reasoning_effort
                                   : std::string(kDefaultEffort);
  return candidate;
}

}  // namespace

Name resolve(const config::Config& config, std::string_view requested) {
  for (const auto& entrypoint : config.entrypoints) {
    const auto& names = entrypoint.model_names;
    if (std::find(names.begin(), names.end(), requested) != names.end()) {
      return {.kind = NameKind::kAutomatic, .recipe = entrypoint.recipe, .target = {}};
    }
  }
  const auto& automatic = config.auto_model_names;
  if (std::find(automatic.begin(), automatic.end(), requested) != automatic.end()) {
    return {.kind = NameKind::kAutomatic, .recipe = {}, .target = {}};
  }
  if (auto target = config::resolve_name(config, requested)) {
    return {.kind = NameKind::kConcrete, .recipe = {}, .target = std::move(target)};
  }
  return {};
}

std::vector<exchange::Candidate> candidates_of(const config::Config& config,
                                               const exchange::Decision& decision) {
  std::vector<exchange::Candidate> candidates;
  if (decision.decision != nullptr) {
    for (const auto& ref : decision.decision->model_refs) {
      if (ref.weight <= 0) continue;
      if (auto candidate = candidate_of_ref(config, ref))
        candidates.push_back(*std::move(candidate));
    }
  }
  if (candidates.empty()) {
    if (const auto target = config::resolve_name(config, config.providers.default_model)) {
      candidates.push_back(make_candidate(*target));
    }
  }
  return candidates;
}

exchange::Candidate candidate_of(std::string_view requested, const config::Target& target,
                                 bool is_alias) {
  auto candidate = make_candidate(target);
  if (is_alias) return candidate;
  // The client's own name for it is what its answers, headers and metrics should show.
  if (target.adapter.empty() && requested != target.model->provider_model_id) {
    candidate.public_name = std::string(requested);
  }
  return candidate;
}

}  // namespace signalbox::pipeline
