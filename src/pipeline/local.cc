#include "pipeline/local.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "api/models_list.h"
#include "json/writer.h"

namespace signalbox::pipeline {
namespace {

bool is_usable(const discovery::Endpoint& endpoint, TimePoint now) {
  return endpoint.health() != discovery::Health::kUnhealthy && !endpoint.draining() &&
         !endpoint.sleeping() && endpoint.service(now) != discovery::Service::kEjected;
}

LocalAnswer health(const Services&, const Snapshot& snapshot) {
  LocalAnswer answer;
  json::Writer out(answer.body);
  out.begin_object().key("status").string("healthy");
  const std::string& dynamic = snapshot.config->own.dynamic_config;
  if (!dynamic.empty()) out.key("dynamic_config").raw(dynamic);
  out.end_object();
  return answer;
}

// Ready means: a request sent now would be routed. Not while draining, and not while no engine at all is usable.
LocalAnswer readiness(const Services& services, const Snapshot& snapshot) {
  const auto set = services.endpoints.current();
  const TimePoint now = services.clock.now();
  const auto endpoints = set->endpoints();
  const auto usable = std::count_if(endpoints.begin(), endpoints.end(), [&](const auto& entry) {
    return is_usable(*entry.endpoint, now);
  });
  const bool draining = services.draining.load(std::memory_order_relaxed);
  const bool ready = !draining && (usable > 0 || endpoints.empty());
  LocalAnswer answer{.status = ready ? 200 : 503};
  json::Writer out(answer.body);
  out.begin_object().key("status").string(ready      ? "ready"
                                          : draining ? "draining"
                                                     : "no usable endpoint");
  out.key("encoder").string(snapshot.encoder_pool != nullptr ? "loaded" : "absent");
  out.key("config_epoch").integer(static_cast<std::int64_t>(snapshot.epoch));
  out.key("endpoints").begin_object();
  out.key("usable").integer(usable).key("known").integer(
      static_cast<std::int64_t>(endpoints.size()));
  out.end_object().end_object();
  return answer;
}

LocalAnswer version(const Services& services, const Snapshot&) {
  LocalAnswer answer;
  json::Writer(answer.body).begin_object().key("version").string(services.version).end_object();
  return answer;
}

LocalAnswer metrics(const Services& services, const Snapshot&) {
  LocalAnswer answer{.content_type = std::string(telemetry::kExpositionContentType)};
  services.registry.expose(answer.body);
  return answer;
}

std::int64_t now_seconds(const Services& services) {
  return std::chrono::duration_cast<std::chrono::seconds>(services.clock.unix_time()).count();
}

// What engines say about a model, where one says it.
using Cards = std::map<std::string_view, const discovery::ServedModel*, std::less<>>;

Cards cards_of(const discovery::EndpointSet& set) {
  Cards cards;
  for (const auto& entry : set.endpoints()) {
    if (!entry.served) continue;
    for (const auto& served : entry.served->models) cards.try_emplace(served.name, &served);
  }
  return cards;
}

std::vector<api::ListedModel> listed_models(const Snapshot& snapshot, const Services& services) {
  const auto set = services.endpoints.current();
  const Cards cards = cards_of(*set);
  std::vector<api::ListedModel> listed;
  std::set<std::string, std::less<>> seen;
  const auto add = [&](std::string_view name, std::string_view owner, std::string_view parent) {
    if (name.empty() || !seen.emplace(name).second) return;
    const auto card = cards.find(name);
    listed.push_back({.id = std::string(name),
                      .owned_by = std::string(owner),
                      .root = {},
                      .parent = std::string(parent),
                      .card = card == cards.end() ? std::string() : card->second->card});
  };
  const config::Config& config = *snapshot.config;
  for (const auto& entrypoint : config.entrypoints) {
    for (const auto& name : entrypoint.model_names) add(name, "signalbox", {});
  }
  for (const auto& name : config.auto_model_names) add(name, "signalbox", {});
  for (const auto& model : config.providers.models) {
    if (model.backends.empty()) continue;
    const auto& backend = model.backends.front();
    add(model.name, backend.provider.empty() ? "vllm" : std::string_view(backend.name), {});
    for (const auto& lora : model.loras) add(lora.name, "vllm", model.name);
  }
  for (const auto& [name, served] : cards) add(name, "vllm", served->parent);
  return listed;
}

LocalAnswer models(const Services& services, const Snapshot& snapshot) {
  return {.body = model_list(snapshot, services)};
}

struct Path {
  std::string_view path;
  LocalAnswer (*answer)(const Services&, const Snapshot&);
};

constexpr std::array kPaths = {
    Path{"/v1/models", models}, Path{"/models", models},   Path{"/health", health},
    Path{"/ready", readiness},  Path{"/version", version}, Path{"/metrics", metrics},
};

// Names may hold slashes, as hubs' do.
Result<LocalAnswer> one_model(const exchange::ClientRequest& client, const Services& services,
                              const Snapshot& snapshot, const std::string& name) {
  if (client.method != "GET" && client.method != "HEAD")
    return fail(Code::kMethodNotAllowed, "/v1/models/NAME answers GET only");
  for (const auto& model : listed_models(snapshot, services)) {
    if (model.id == name)
      return LocalAnswer{.body = api::model_entry(model, now_seconds(services))};
  }
  return fail(Code::kModelNotFound, fmt::format("The model '{}' does not exist.", name), "model");
}

}  // namespace

std::string model_list(const Snapshot& snapshot, const Services& services) {
  return api::models_list(listed_models(snapshot, services), now_seconds(services));
}

Result<std::optional<LocalAnswer>> answer_locally(const exchange::ClientRequest& client,
                                                  Services& services, const Snapshot& snapshot) {
  constexpr std::string_view kModel = "/v1/models/";
  if (client.path.starts_with(kModel) && client.path.size() > kModel.size()) {
    SBX_TRY(auto answer, one_model(client, services, snapshot, client.path.substr(kModel.size())));
    return answer;
  }
  for (const auto& [path, answer] : kPaths) {
    if (client.path != path) continue;
    if (client.method != "GET" && client.method != "HEAD") {
      return fail(Code::kMethodNotAllowed, fmt::format("{} answers GET only", path));
    }
    return answer(services, snapshot);
  }
  return std::nullopt;
}

}  // namespace signalbox::pipeline
