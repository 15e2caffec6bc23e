#include <fmt/core.h>

#include <algorithm>

#include "config/lint/lint.h"
#include "config/resolve.h"

namespace signalbox::config::lint {
namespace {

// Fewer siblings than this say nothing about what is usual.
constexpr int kSiblingsMin = 2;
constexpr double kCacheSimilarityMin = 0.5;

bool has_prompt(const Decision& decision) {
  const auto& plugin = decision.plugins.system_prompt;
  return plugin && plugin->enabled && !plugin->system_prompt.empty();
}

bool uses_domain(const RuleNode& rule) {
  if (rule.op == RuleOperator::kLeaf) return rule.type == "domain";
  return std::ranges::any_of(rule.children, uses_domain);
}

void check_prompts(const Program& program, Findings& findings) {
  const auto& decisions = program.routing.decisions;
  const auto with_prompt = std::ranges::count_if(
      decisions, [](const Decision& d) { return uses_domain(d.rules) && has_prompt(d); });
  if (with_prompt < kSiblingsMin) return;
  for (const auto& decision : decisions) {
    if (!uses_domain(decision.rules) || has_prompt(decision) || decision.plugins.fast_response)
      continue;
    const auto& plugin = decision.plugins.system_prompt;
    findings.warn(
        "lost-prompt", decision.line, decision_path(program, decision),
        fmt::format("{}, while {} other domain decisions have one",
                    plugin ? "its system prompt is off or empty" : "it has no system_prompt plugin",
                    with_prompt),
        "add a system_prompt plugin, or leave it if that is meant");
  }
}

void check_ref(const Config& config, const ModelRef& ref, const std::string& path,
               Findings& findings) {
  const auto target = resolve_ref(config, ref);
  if (!target) return;
  const Model& model = *target->model;
  const bool declared =
      std::ranges::find(model.loras, target->adapter, &Lora::name) != model.loras.end();
  if (!target->adapter.empty() && !declared) {
    findings.warn(
        "undeclared-adapter", ref.line, path,
        fmt::format("adapter '{}' is not among the loras of '{}'", target->adapter, model.name),
        "add it to the model's card, or correct the name");
  }
  if (ref.use_reasoning.value_or(false) && model.reasoning_family.empty()) {
    findings.warn(
        "reasoning-without-family", ref.line, path,
        fmt::format("use_reasoning is on, but '{}' has no reasoning_family: nothing will be sent",
                    model.name),
        "set reasoning_family on the model");
  }
}

void check_models(const Config& config, const Program& program, const Decision& decision,
                  Findings& findings) {
  const auto path = decision_path(program, decision);
  if (decision.model_refs.empty() && !decision.plugins.fast_response &&
      config.providers.default_model.empty()) {
    findings.warn("no-model", decision.line, path,
                  "it names no model and there is no default_model", "add modelRefs");
  }
  for (const auto& ref : decision.model_refs) check_ref(config, ref, path, findings);
  const bool all_zero =
      std::ranges::all_of(decision.model_refs, [](const ModelRef& ref) { return ref.weight == 0; });
  if (!decision.model_refs.empty() && all_zero) {
    findings.warn("zero-weights", decision.line, path, "all its models have weight 0",
                  "give one of them a weight");
  }
}

void check_cache(const Config& config, const Program& program, const Decision& decision,
                 Findings& findings) {
  const auto& cache = decision.plugins.response_cache;
  if (!cache || !cache->enabled) return;
  const auto path = decision_path(program, decision);
  if (decision.plugins.fast_response) {
    findings.warn("cache-never-hits", decision.line, path,
                  "fast_response answers before the cache is asked",
                  "remove one of the two plugins");
  } else if (cache->scope != "global" && config.own.trusted_peers.empty()) {
    findings.warn("cache-never-hits", decision.line, path,
                  fmt::format("entries are kept per {}, but no peer is trusted to say who asks",
                              cache->scope),
                  "set signalbox.trusted_peers, or scope: global");
  }
  if (cache->similarity_threshold < kCacheSimilarityMin || cache->similarity_threshold >= 1) {
    findings.warn("useless-threshold", decision.line, path,
                  fmt::format("similarity_threshold {} {}", cache->similarity_threshold,
                              cache->similarity_threshold < kCacheSimilarityMin
                                  ? "takes unrelated questions for the same"
                                  : "can hardly ever be reached"),
                  "0.85 to 0.97 is the useful range");
  }
}

}  // namespace

std::string decision_path(const Program& program, const Decision& decision) {
  return fmt::format("{}routing.decisions.{}", program.prefix, decision.name);
}

void check_decisions(const Config& config, const Program& program, Findings& findings) {
  check_prompts(program, findings);
  for (const auto& decision : program.routing.decisions) {
    check_models(config, program, decision, findings);
    check_cache(config, program, decision, findings);
  }
  const bool catch_all =
      std::ranges::any_of(program.routing.decisions,
                          [](const Decision& decision) { return always_matches(decision.rules); });
  if (!catch_all && config.providers.default_model.empty()) {
    findings.warn("missing-catch-all", 0, program.prefix + "routing",
                  "a prompt that no decision matches has nowhere to go: there is no default_model",
                  "set providers.defaults.default_model, or add a decision with rules: {operator: "
                  "AND, conditions: []}");
  }
}

}  // namespace signalbox::config::lint
