#include <fmt/core.h>

#include <algorithm>

#include "config/lint/lint.h"
#include "config/resolve.h"

namespace signalbox::config::lint {
namespace {

std::string model_path(const Model& model) { return "providers.models." + model.name; }

void check_backends(const Config& config, const Model& model, Findings& findings) {
  if (model.backends.empty() && !config.own.sim.embedded) {
    findings.warn("unserved-model", model.line, model_path(model),
                  fmt::format("'{}' has no backend", model.name),
                  "add backend_refs; without them it is served only behind a gateway that chooses "
                  "the engine");
  }
  const bool all_zero =
      std::ranges::all_of(model.backends, [](const BackendRef& b) { return b.weight == 0; });
  if (!model.backends.empty() && all_zero) {
    findings.warn("zero-weights", model.line, model_path(model), "all its backends have weight 0",
                  "give one of them a weight");
  }
  for (const auto& backend : model.backends) {
    if (backend.api_key_in_plain_text) {
      findings.warn("secret-in-plain-text", model.line, model_path(model),
                    fmt::format("the key of backend '{}' stands in the file", backend.name),
                    "use api_key_env, or api_key: ${VARIABLE}");
    }
    if (!backend.api_key_env.empty() && backend.api_key.empty()) {
      findings.note("key-not-set", model.line, model_path(model),
                    fmt::format("variable {} of backend '{}' is not set here", backend.api_key_env,
                                backend.name),
                    "set it where signalbox runs");
    }
  }
}

void check_reliability(const Model& model, Findings& findings) {
  const auto& r = model.reliability;
  if (r.health_check_interval && r.health_check_timeout &&
      *r.health_check_timeout > *r.health_check_interval) {
    findings.warn("contradictory-times", model.line, model_path(model),
                  "health_check_timeout is longer than health_check_interval",
                  "make the timeout shorter");
  }
}

// A model that somebody names must be served by somebody.
bool is_named(const Config& config, const Model& model) {
  const auto names = [&](const Routing& routing) {
    for (const auto& decision : routing.decisions) {
      for (const auto& ref : decision.model_refs) {
        const auto target = resolve_name(config, ref.model);
        if (target && target->model == &model) return true;
      }
    }
    return false;
  };
  const auto target = resolve_name(config, config.providers.default_model);
  if (target && target->model == &model) return true;
  return names(config.routing) || std::ranges::any_of(config.recipes, [&](const Recipe& recipe) {
           return names(recipe.routing);
         });
}

void check_card(const Config& config, const Model& model, Findings& findings) {
  const auto target = resolve_name(config, model.name);
  const bool is_adapter = target && !target->adapter.empty();
  if (is_named(config, model)) {
    findings.warn("unserved-model", model.line, "routing.modelCards." + model.name,
                  fmt::format("'{}' is used but stands nowhere under providers.models", model.name),
                  "add it there with backend_refs");
  } else {
    findings.note("unserved-model", model.line, "routing.modelCards." + model.name,
                  is_adapter
                      ? fmt::format("card '{}' is shadowed by the adapter of '{}' with that name",
                                    model.name, target->model->name)
                      : fmt::format("card '{}' has no provider of that name", model.name),
                  "remove the card, or add a provider");
  }
}

// A key or word that matches nothing is most often a slip, and leaves an engine with both halves of the work.
void check_halves(const Config& config, Findings& findings) {
  const DisaggregatedPrefill& halves = config.own.disaggregated_prefill;
  if (!halves.enabled) return;
  constexpr auto kPath = "signalbox.disaggregated_prefill.labels";
  for (const auto& [key, label] : halves.labels) {
    const bool known = std::ranges::any_of(config.providers.models, [&](const Model& model) {
      return std::ranges::any_of(model.backends, [&](const BackendRef& backend) {
        return key == backend.name || key == backend.host ||
               key == fmt::format("{}:{}", backend.host, backend.port);
      });
    });
    if (!known) {
      findings.warn("unknown-backend", 0, kPath, fmt::format("no backend is called '{}'", key),
                    "name it as in backend_refs, or by host:port or host");
    }
    const auto in = [&](const std::vector<std::string>& labels) {
      return std::ranges::find(labels, label) != labels.end();
    };
    if (!in(halves.prefill_labels) && !in(halves.decode_labels)) {
      findings.warn("unknown-label", 0, kPath,
                    fmt::format("'{}' is among neither prefill_labels nor decode_labels", label),
                    "backend '" + key + "' takes both halves; give it one of these labels");
    }
  }
}

void warn_times(std::string_view longer, std::string_view shorter, std::string_view block,
                Findings& findings) {
  findings.warn("contradictory-times", 0, fmt::format("signalbox.{}", block),
                fmt::format("{} is longer than {}, so it can never run out", longer, shorter),
                fmt::format("make {} shorter", longer));
}

// What a filter that does not follow Signalbox takes away.
void check_extproc(const ExtProcDoor& door, Findings& findings) {
  if (door.allow_mode_override) return;
  if (door.request_body_mode == "streamed") {
    findings.warn("route-before-body", 0, "signalbox.extproc.request_body_mode",
                  "Envoy sends the headers on before the body is read, so the route cannot follow "
                  "the decision and default routes take every request",
                  "use buffered or full_duplex_streamed, or allow_mode_override: true");
  }
  if (door.skip_response_body) {
    findings.warn("no-mode-override", 0, "signalbox.extproc.skip_response_body",
                  "it asks Envoy for another mode, which allow_mode_override: false forbids",
                  "allow_mode_override: true, or leave skip_response_body out");
  }
}

}  // namespace

void check_providers(const Config& config, Findings& findings) {
  for (const auto& model : config.providers.models) {
    if (!model.has_provider) {
      check_card(config, model, findings);
      continue;
    }
    check_backends(config, model, findings);
    check_reliability(model, findings);
  }
}

void check_settings(const Config& config, Findings& findings) {
  check_extproc(config.own.extproc, findings);
  check_halves(config, findings);
  const Limits& limits = config.own.limits;
  if (limits.connect_timeout > limits.total_timeout)
    warn_times("connect_timeout", "total_timeout", "limits", findings);
  if (limits.first_byte_timeout > limits.total_timeout) {
    warn_times("first_byte_timeout", "total_timeout", "limits", findings);
  }
  if (limits.stream_idle_timeout > limits.total_timeout) {
    warn_times("stream_idle_timeout", "total_timeout", "limits", findings);
  }
  if (config.own.health.timeout > config.own.health.interval)
    warn_times("timeout", "interval", "health", findings);
  const auto connect_total = limits.connect_timeout * config.own.retry.attempts_max;
  if (connect_total > limits.total_timeout && limits.connect_timeout <= limits.total_timeout) {
    findings.warn("contradictory-times", 0, "signalbox.retry.attempts_max",
                  fmt::format("{} attempts of connect_timeout do not fit into total_timeout",
                              config.own.retry.attempts_max),
                  "shorten connect_timeout, or allow fewer attempts");
  }
  for (const auto& name : config.auto_model_names) {
    const auto target = resolve_name(config, name);
    if (!target) continue;
    findings.warn(
        "automatic-name", 0, "global.router.auto_model_names",
        fmt::format(
            "'{}' is an automatic name and also a model: clients can no longer ask for the model",
            name),
        "rename one of them");
  }
}

}  // namespace signalbox::config::lint
