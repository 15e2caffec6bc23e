#include "pipeline/engine_routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/log.h"
#include "http/fetch.h"
#include "json/writer.h"
#include "pipeline/query.h"
#include "upstream/credentials.h"

namespace signalbox::pipeline {
namespace {

using discovery::EndpointEntry;

// Loading a model back into memory, or an adapter from a hub, takes minutes on slow disks.
constexpr std::chrono::seconds kControlTimeout{300};
constexpr std::chrono::seconds kLearnTimeout{5};

enum class Action : std::uint8_t { kList, kSleep, kWake, kIsSleeping, kAdapter };
struct Route {
  std::string_view path;
  std::string_view method;
  Action action;
};
constexpr std::array kRoutes{
    Route{"/engines", "GET", Action::kList},
    Route{"/sleep", "POST", Action::kSleep},
    Route{"/wake_up", "POST", Action::kWake},
    Route{"/is_sleeping", "GET", Action::kIsSleeping},
    Route{"/v1/load_lora_adapter", "POST", Action::kAdapter},
    Route{"/v1/unload_lora_adapter", "POST", Action::kAdapter},
};

void append_engine(json::Writer& out, const discovery::EndpointSet& set,
                   const EndpointEntry& entry) {
  const discovery::Endpoint& endpoint = *entry.endpoint;
  out.begin_object().key("engine_id").string(endpoint.id()).key("serving_models").begin_array();
  for (const std::size_t group : entry.groups) out.string(set.groups()[group].model);
  out.end_array().key("created").integer(
      std::chrono::floor<std::chrono::seconds>(endpoint.created()).count());
  if (!entry.backend.label.empty()) out.key("label").string(entry.backend.label);
  out.key("healthy").boolean(endpoint.health() != discovery::Health::kUnhealthy);
  out.key("sleeping").boolean(endpoint.sleeping());
  out.key("draining").boolean(endpoint.draining());
  out.key("requests").integer(endpoint.in_flight()).end_object();
}

std::string engine_list(const discovery::EndpointSet& set) {
  std::string body;
  json::Writer out(body);
  out.begin_array();
  for (const EndpointEntry& entry : set.endpoints()) append_engine(out, set, entry);
  out.end_array();
  return body;
}

http::FetchRequest request_to(const EndpointEntry& entry, const exchange::ClientRequest& client,
                              const std::string& path) {
  const net::Address& address = entry.endpoint->address();
  http::FetchRequest request;
  request.method = client.method;
  const std::string query = query_without(client.query, "id");
  request.url =
      fmt::format("{}://{}{}{}{}{}", address.tls ? "https" : "http", net::to_string(address),
                  entry.endpoint->base_path(), path, query.empty() ? "" : "?", query);
  if (const auto authorization = client.headers.get("authorization"); !authorization.empty())
    request.headers.set("Authorization", std::string(authorization));
  upstream::add_probe_credentials(entry.backend, request.headers);
  request.headers.set("x-request-id", client.request_id);
  if (!client.body.empty()) {
    request.headers.set("Content-Type", "application/json");
    request.body = client.body;
  }
  return request;
}

// What the engine serves, read again and known everywhere before the caller goes on.
net::Task<void> learn_models(EngineCall call, const EndpointEntry* entry) {
  exchange::ClientRequest question;
  question.method = "GET";
  question.request_id = call.client.request_id;
  question.headers = call.client.headers;
  const Deadline deadline = Deadline::after(call.clients.loop().now(), kLearnTimeout);
  auto request = request_to(*entry, question, "/v1/models");
  request.response_bytes_max = limits::kServedModelsBytesMax;
  const auto response =
      co_await http::fetch(&call.clients, std::move(request), deadline, &call.gone);
  if (!response || response->status != 200) co_return;
  auto served = discovery::parse_served_models(response->body);
  if (!served) co_return;
  call.services.endpoints.learn(*entry->endpoint, *std::move(served));
  if (!call.services.engines_changed) co_return;
  const net::OneShot<bool> done(call.clients.loop());
  call.services.engines_changed([done] { done.set(true); });
  co_await done.wait(deadline);
}

net::Task<Result<EngineAnswer>> ask(EngineCall call, Action action, const EndpointEntry* entry) {
  const Deadline deadline =
      Deadline::after(call.clients.loop().now(), kControlTimeout).sooner(call.client.deadline);
  auto request = request_to(*entry, call.client, call.client.path);
  SBX_CO_TRY(auto response,
             co_await http::fetch(&call.clients, std::move(request), deadline, &call.gone));
  EngineAnswer answer;
  answer.status = response.status;
  if (const auto type = response.headers.get("content-type"); !type.empty())
    answer.content_type = std::string(type);
  answer.body = std::move(response.body);
  if (answer.status >= 300) co_return answer;
  if (action == Action::kSleep || action == Action::kWake) {
    entry->endpoint->set_sleeping(action == Action::kSleep, call.clients.loop().now());
    log::info("endpoint {} {}", entry->endpoint->url(),
              action == Action::kSleep ? "was put to sleep" : "was woken");
  }
  if (action == Action::kAdapter) co_await learn_models(call, entry);
  co_return answer;
}

bool is_engine(const EndpointEntry& entry) {
  return entry.backend.provider.empty() || entry.backend.provider == "vllm";
}

// Each engine's own answer, and the worst of their statuses.
net::Task<Result<EngineAnswer>> ask_all(EngineCall call, Action action,
                                        const discovery::EndpointSet* set) {
  EngineAnswer all;
  json::Writer out(all.body);
  out.begin_object().key("engines").begin_array();
  for (const EndpointEntry& entry : set->endpoints()) {
    if (!is_engine(entry)) continue;
    const auto one = co_await ask(call, action, &entry);
    const int status = one ? one->status : traits(one.error().code).http_status;
    all.status = std::max(all.status, status);
    out.begin_object().key("engine_id").string(entry.endpoint->id()).key("status").integer(status);
    out.key("answer").string(one ? one->body : one.error().message).end_object();
  }
  out.end_array().end_object();
  co_return all;
}

}  // namespace

bool is_engine_path(std::string_view path) {
  return std::ranges::find(kRoutes, path, &Route::path) != kRoutes.end();
}

net::Task<Result<EngineAnswer>> answer_engine_call(EngineCall call) {
  const auto route = std::ranges::find(kRoutes, call.client.path, &Route::path);
  SBX_ASSERT(route != kRoutes.end());
  const std::string& method = call.client.method;
  const bool head = route->method == "GET" && method == "HEAD";
  if (method != route->method && !head) {
    co_return fail(Code::kMethodNotAllowed,
                   fmt::format("{} answers {} only", route->path, route->method));
  }
  const auto set = call.services.endpoints.current();
  if (route->action == Action::kList) {
    EngineAnswer answer;
    answer.body = engine_list(*set);
    co_return answer;
  }
  const auto id = query_value(call.client.query, "id");
  if (!id && route->action == Action::kAdapter)
    co_return co_await ask_all(call, route->action, set.get());
  if (!id)
    co_return fail(Code::kInvalidArgument, "Invalid request: missing target Engine Id.", "id");
  const EndpointEntry* entry = set->find_id(*id);
  if (entry == nullptr) {
    co_return fail(Code::kInvalidArgument, "no engine has this id; GET /engines lists them", "id");
  }
  co_return co_await ask(call, route->action, entry);
}

}  // namespace signalbox::pipeline
