#include "pipeline/pipeline.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "api/error_body.h"
#include "base/hash.h"
#include "base/log.h"
#include "pipeline/api_embed.h"
#include "pipeline/api_routes.h"
#include "pipeline/cors.h"
#include "pipeline/engine_routes.h"
#include "pipeline/hand_on.h"
#include "pipeline/local.h"
#include "pipeline/naming.h"
#include "pipeline/office.h"
#include "pipeline/own_answer.h"
#include "pipeline/query.h"
#include "pipeline/response_headers.h"
#include "plugins/plugins.h"
#include "request/read_request.h"
#include "response/relay.h"
#include "upstream/prefill_half.h"

namespace signalbox::pipeline {
namespace {

// What a busy router asks of clients: its queues empty in seconds or not at all.
constexpr std::chrono::seconds kBusyRetryAfter{1};

std::unexpected<Error> unknown_model(const std::string& model) {
  return fail(Code::kModelNotFound,
              fmt::format("The model '{}' does not exist or is not served here.", model), "model");
}

bool shows_category(const config::Config& config, const exchange::ClientRequest& client) {
  // The founding document's headers name the category of every automatic answer; asking for it costs an encoder pass
  // only where a domain rule exists, because demand() knows no other domain leaves.
  return config.own.http.response_headers != config::HeaderSet::kV03 ||
         client.headers.get("x-vsr-debug") == "true";
}

http::ResponseStart start_of(int status, http::Headers headers, std::size_t body_bytes) {
  http::ResponseStart start;
  start.status = status;
  start.headers = std::move(headers);
  start.body = {http::Framing::kLength, body_bytes};
  return start;
}

}  // namespace

Pipeline::Pipeline(Services& services, net::Loop& loop, net::Network& network, std::uint64_t seed)
    : services_(services),
      loop_(loop),
      random_(seed),
      snapshots_(services.snapshots),
      endpoints_(services.endpoints),
      clients_(loop, network),
      upstream_(loop, clients_, random_, services.instruments),
      waiting_room_(loop),
      token_finder_(loop, clients_, services.instruments) {
  if (services_.access_log) access_log_.emplace(*services_.access_log);
  if (services_.routing_log) routing_log_.emplace(*services_.routing_log);
}

std::shared_ptr<const listener::ConnectionSettings> Pipeline::connection_settings() {
  return snapshots_.get()->connection;
}

void Pipeline::flush_access_log() {
  for (auto* log : {&access_log_, &routing_log_}) {
    if (!*log) continue;
    (*log)->flush();
    services_.instruments.access_log_dropped.add((*log)->take_dropped());
  }
}

net::Task<void> Pipeline::close() {
  co_await token_finder_.stop();
  co_await upstream_.close();
  clients_.close_idle();
}

void Pipeline::rejected(const Error& error) {
  services_.instruments.http_responses
      .with("unread", std::to_string(traits(error.code).http_status))
      .add();
}

net::Task<void> Pipeline::handle(exchange::Exchange& exchange, http::ClientSink& sink,
                                 net::Cancellation& client_gone) {
  Flow flow{.exchange = exchange, .sink = sink, .gone = client_gone, .snapshot = snapshots_.get()};
  co_await finish(&flow);
}

net::Task<void> Pipeline::finish(Flow* flow) {
  auto done = co_await run(flow);
  if (!done) co_await fail_request(flow, std::move(done).error());
  flow->moments.finished_at = loop_.clock().now();
  record(*flow);
}

namespace {

// Below a prefix everything answers as without it: ingresses that do not strip theirs.
void strip_root(exchange::ClientRequest& client, const std::string& root) {
  if (root.empty() || !client.path.starts_with(root)) return;
  if (client.path.size() == root.size()) {
    client.path = "/";
  } else if (client.path[root.size()] == '/') {
    client.path.erase(0, root.size());
  }
}

// The one question to a model without a body.
bool lists_voices(const exchange::ClientRequest& client) {
  return client.method == "GET" && client.path == "/v1/audio/voices";
}

// ?model=, else the default, else the only model there is.
std::string model_of_query(const exchange::ClientRequest& client, const config::Config& config) {
  if (auto named = query_value(client.query, "model")) return *std::move(named);
  const auto& providers = config.providers;
  if (!providers.default_model.empty()) return providers.default_model;
  return providers.models.size() == 1 ? providers.models.front().name : std::string();
}

// Then also requests for models that nobody serves are counted by name: autoscalers wake one because somebody asks for it.
// Elsewhere names that clients invent stay out of the metrics.
bool models_come_and_go(const config::Config& config) {
  const config::Discovery& sources = config.own.discovery;
  return !sources.files.empty() || !sources.dns.empty() || sources.kubernetes.enabled ||
         !config.providers.engines.empty();
}

// Probes and scrapes come without keys.
bool is_open_path(std::string_view path) {
  return path == "/health" || path == "/ready" || path == "/metrics" || path == "/version";
}

}  // namespace

// The order of the stages. Cheap before dear: whatever can answer or refuse without a model runs before one.
net::Task<Result<void>> Pipeline::run(Flow* flow) {
  auto& exchange = flow->exchange;
  strip_root(exchange.client, flow->config().own.root_path);
  SBX_CO_TRY(const bool answered, co_await answer_without_model(flow));
  if (answered) co_return Result<void>{};
  // The engine must see what we judged, so the whole body is validated before anything looks at it.
  SBX_CO_CHECK_OK(read(*flow));
  take_over_from_before(*flow);
  SBX_CO_CHECK_OK(pin(*flow));
  // Our own embeddings cost no engine.
  if (asks_built_in_embedding(exchange.request, flow->config())) {
    exchange.path = exchange::ResponsePath::kLocal;
    const ApiCall call{exchange.client, exchange.identity, *flow->snapshot, loop_};
    SBX_CO_TRY(auto body, co_await openai_embeddings(call));
    co_return co_await send(flow, 200, answer_headers(*flow, "application/json"), std::move(body));
  }
  // Signals and decision, only for names that ask for them: a concrete model costs no classifier.
  SBX_CO_CHECK_OK(co_await decide(flow));
  // Edits that hold for every candidate; an answer of our own ends here, before any engine is bothered.
  if (exchange.decision.decision != nullptr) {
    SBX_CO_TRY(exchange.edits, plugins::apply_plugins(exchange.decision.decision->plugins,
                                                      exchange.request, exchange.client));
    if (exchange.edits.fast_response) co_return co_await answer_fast(flow);
  }
  // Last, because it is the only stage that costs somebody else's time.
  if (flow->carrier != nullptr) co_return co_await hand_over(flow);
  co_return co_await forward(flow);
}

Result<void> Pipeline::let_in(Flow& flow) {
  auto& client = flow.exchange.client;
  if (is_open_path(client.path)) return {};
  if (flow.exchange.inside) {
    flow.admission = flow.snapshot->access->in_name_of(flow.exchange.identity.key_name);
    return {};
  }
  auto admitted = flow.snapshot->access->admit(client.headers, loop_.now());
  if (!admitted) {
    flow.retry_after = admitted.error().retry_after;
    return std::unexpected(std::move(admitted).error().error);
  }
  flow.admission = *std::move(admitted);
  if (const auto* key = flow.admission.key()) flow.exchange.identity.key_name = key->name;
  return {};
}

net::Task<Result<bool>> Pipeline::answer_without_model(Flow* flow) {
  auto& exchange = flow->exchange;
  // Browsers ask before they send a key.
  if (auto headers = preflight_headers(flow->config().own.cors, exchange.client)) {
    exchange.path = exchange::ResponsePath::kLocal;
    SBX_CO_CHECK_OK(co_await send(flow, 204, *std::move(headers), {}));
    co_return true;
  }
  // Nothing is done for strangers.
  SBX_CO_CHECK_OK(let_in(*flow));
  // Ours first: no body is judged, nothing can be wrong with it.
  SBX_CO_TRY(auto local, answer_locally(exchange.client, services_, *flow->snapshot));
  if (local) {
    exchange.path = exchange::ResponsePath::kLocal;
    SBX_CO_CHECK_OK(co_await send(flow, local->status, answer_headers(*flow, local->content_type),
                                  std::move(local->body)));
    co_return true;
  }
  // What is said to one engine, or about engines, is no work for a model.
  if (is_engine_path(exchange.client.path)) {
    exchange.path = exchange::ResponsePath::kLocal;
    const EngineCall call{exchange.client, services_, clients_, flow->gone};
    SBX_CO_TRY(auto answer, co_await answer_engine_call(call));
    SBX_CO_CHECK_OK(co_await send(flow, answer.status, answer_headers(*flow, answer.content_type),
                                  std::move(answer.body)));
    co_return true;
  }
  if (services_.office != nullptr && batch::is_batch_path(exchange.client.path)) {
    exchange.path = exchange::ResponsePath::kLocal;
    SBX_CO_CHECK_OK(co_await answer_office(flow));
    co_return true;
  }
  // Tools of the operator: they judge a request without sending it anywhere.
  if (is_api_path(exchange.client.path)) {
    exchange.path = exchange::ResponsePath::kLocal;
    const ApiCall call{exchange.client, exchange.identity, *flow->snapshot, loop_};
    SBX_CO_TRY(auto body, co_await answer_api(call));
    SBX_CO_CHECK_OK(
        co_await send(flow, 200, answer_headers(*flow, "application/json"), std::move(body)));
    co_return true;
  }
  co_return false;
}

// Files are read and written on the office's thread; large ones come over in pieces, so that no core waits for a disk.
net::Task<Result<void>> Pipeline::answer_office(Flow* flow) {
  auto& client = flow->exchange.client;
  batch::Call call;
  call.method = client.method == "HEAD" ? "GET" : client.method;
  call.path = client.path;
  call.query = client.query;
  call.content_type = std::string(client.headers.get("content-type"));
  client.body_bytes_forgotten = client.body.size();
  call.body = std::move(client.body);
  call.owner = flow->exchange.identity.key_name;
  SBX_CO_TRY(auto reply, co_await services_.office->ask(std::move(call), &loop_, client.deadline));
  if (reply.content_of.empty()) {
    co_return co_await send(flow, 200, answer_headers(*flow, "application/json"),
                            std::move(reply.body));
  }
  flow->status = 200;
  SBX_CO_CHECK_OK(co_await flow->sink.start(
      start_of(200, answer_headers(*flow, "application/octet-stream"), reply.content_bytes), {}));
  for (std::uint64_t at = 0; at < reply.content_bytes;) {
    SBX_CO_TRY(const std::string piece,
               co_await services_.office->read(reply.content_of, at, &loop_, client.deadline));
    if (piece.empty()) co_return fail(Code::kIo, "the file became shorter");
    at += piece.size();
    SBX_CO_CHECK_OK(co_await flow->sink.write(piece));
  }
  flow->exchange.usage.body_bytes = reply.content_bytes;
  co_return co_await flow->sink.finish();
}

// ?id= names the engine that must answer. It is ours, so the engine does not see it.
Result<void> Pipeline::pin(Flow& flow) {
  auto& client = flow.exchange.client;
  flow.set = endpoints_.set();
  if (client.query.empty()) return {};
  const auto id = query_value(client.query, "id");
  if (!id) return {};
  const auto* entry = flow.set->find_id(*id);
  if (entry == nullptr)
    return fail(Code::kNotFound, "no engine has this id; GET /engines lists them", "id");
  flow.pinned = entry->endpoint;
  client.query = query_without(client.query, "id");
  return {};
}

Result<void> Pipeline::read(Flow& flow) {
  auto& exchange = flow.exchange;
  // A known path with a wrong method is told so, whatever its body is.
  const bool known = request::endpoint_of(exchange.client.path) != exchange::Endpoint::kOther;
  if (known && exchange.client.method != "POST") {
    return fail(Code::kMethodNotAllowed, fmt::format("{} answers POST only", exchange.client.path));
  }
  SBX_TRY(exchange.request, request::read_request(exchange.client));
  if (!exchange.request.model.empty()) return {};
  if (lists_voices(exchange.client)) {
    exchange.request.model = model_of_query(exchange.client, flow.config());
    if (!exchange.request.model.empty()) return {};
    return fail(Code::kInvalidArgument, "name a model: /v1/audio/voices?model=NAME", "model");
  }
  if (!known) {
    return fail(Code::kNotFound, fmt::format("Unknown path {} for {}", exchange.client.path,
                                             exchange.client.method));
  }
  // Endpoints where the model may be left out go where the default is.
  exchange.request.model = model_of_query(exchange.client, flow.config());
  if (!exchange.request.model.empty()) return {};
  return fail(Code::kInvalidArgument, "you must name a model: 'model' is required", "model");
}

void Pipeline::take_over_from_before(Flow& flow) {
  auto& exchange = flow.exchange;
  const config::HandOn& settings = flow.config().own.hand_on;
  if (settings.secret.empty() || exchange.client.handed_on.empty()) return;
  const auto now = std::chrono::floor<std::chrono::seconds>(loop_.clock().unix_time());
  auto known = take_over(exchange.client.handed_on, exchange.client.body, now, settings.secret);
  services_.instruments.handed_on.with(known ? "taken" : "refused").add();
  if (known) {
    exchange.handed_on = *std::move(known);
  } else {
    log::debug("{}: what was handed on is not believed: {}", exchange.client.request_id,
               known.error().message);
  }
}

net::Task<Result<void>> Pipeline::decide(Flow* flow) {
  auto& exchange = flow->exchange;
  const Name name = resolve(flow->config(), exchange.request.model);
  if (name.kind != NameKind::kUnknown || models_come_and_go(flow->config())) {
    services_.instruments.incoming_requests
        .with(name.target ? name.target->shown_name() : exchange.request.model)
        .add();
  }
  if (name.kind == NameKind::kUnknown) co_return unknown_model(exchange.request.model);
  if (!flow->admission.may_use(exchange.request.model)) {
    co_return fail(Code::kPermissionDenied, "this API key may not use this model", "model");
  }
  if (name.kind == NameKind::kConcrete) {
    exchange.candidates.push_back(
        candidate_of(exchange.request.model, *name.target,
                     flow->config().providers.aliases.contains(exchange.request.model)));
    co_return Result<void>{};
  }
  flow->recipe = name.recipe;
  flow->routing = &flow->snapshot->routing(name.recipe);
  flow->moments.understood_from = loop_.clock().now();
  {
    StatePool::Lease lease(states_, flow->routing->program);
    const Understanding understanding{
        .routing = *flow->routing,
        .loop = loop_,
        .encoder_pool = flow->snapshot->encoder_pool,
        .encoder_deadline = flow->config().own.encoder.deadline,
        .exhaustive = false,
        .want_category = shows_category(flow->config(), exchange.client)};
    co_await understand(&exchange, understanding, &lease.state());
  }
  flow->moments.decided_at = loop_.clock().now();
  exchange.candidates = candidates_of(flow->config(), exchange.decision);
  if (exchange.candidates.empty()) {
    co_return fail(Code::kModelNotFound,
                   "no decision matched and the default model is not served by any backend",
                   "model");
  }
  co_return Result<void>{};
}

net::Task<Result<void>> Pipeline::answer_fast(Flow* flow) {
  auto& exchange = flow->exchange;
  exchange.path = exchange::ResponsePath::kFastResponse;
  const api::Answer answer{
      .id = exchange.client.request_id,
      .model = exchange.candidates.front().public_name,
      .text = *exchange.edits.fast_response,
      .created =
          std::chrono::duration_cast<std::chrono::seconds>(loop_.clock().unix_time()).count(),
      .include_usage = exchange.request.include_usage};
  auto body = own_answer(exchange.request.endpoint, exchange.request.stream, answer);
  const auto type = exchange.request.stream ? "text/event-stream" : "application/json";
  co_return co_await send(flow, 200, answer_headers(*flow, type), std::move(body));
}

HeaderInputs Pipeline::header_inputs(const Flow& flow) {
  return {
      .exchange = flow.exchange,
      .leaves = flow.routing ? flow.routing->program.leaves() : std::span<const exchange::Leaf>{},
      .recipe = flow.recipe,
      .set = flow.config().own.http.response_headers};
}

http::Headers Pipeline::answer_headers(const Flow& flow, std::string_view content_type) const {
  http::Headers headers;
  headers.add("Content-Type", std::string(content_type));
  add_edge_headers(flow, headers);
  return headers;
}

void Pipeline::add_edge_headers(const Flow& flow, http::Headers& headers) const {
  add_response_headers(header_inputs(flow), headers);
  flow.admission.add_headers(headers, loop_.now());
  add_cors_headers(flow.config().own.cors, flow.exchange.client, headers);
}

net::Task<Result<void>> Pipeline::send(Flow* flow, int status, http::Headers headers,
                                       std::string body) {
  flow->status = status;
  flow->exchange.usage.body_bytes = body.size();
  SBX_CO_CHECK_OK(
      co_await flow->sink.start(start_of(status, std::move(headers), body.size()), body));
  co_return co_await flow->sink.finish();
}

net::Task<void> Pipeline::fail_request(Flow* flow, Error error) {
  auto& exchange = flow->exchange;
  flow->error = error.code;
  if (flow->sink.started()) co_return;  // the door closes an unfinished answer
  exchange.path = error.code == Code::kRateLimited ? exchange::ResponsePath::kRateLimited
                                                   : exchange::ResponsePath::kError;
  int status = traits(error.code).http_status;
  if (error.code == Code::kModelNotFound) status = flow->config().own.http.unknown_model_status;
  const bool messages = exchange.request.endpoint == exchange::Endpoint::kMessages;
  std::string body =
      messages ? api::anthropic_error(error, exchange.client.request_id) : api::openai_error(error);
  auto headers = answer_headers(*flow, "application/json");
  if (error.code == Code::kUnauthenticated) headers.set("www-authenticate", "Bearer");
  if (flow->retry_after.count() == 0 && status == 503) flow->retry_after = kBusyRetryAfter;
  if (flow->retry_after.count() > 0) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(flow->retry_after).count();
    headers.set("retry-after", std::to_string(wait));
  }
  static_cast<void>(co_await send(flow, status, std::move(headers), std::move(body)));
}

void Pipeline::record(const Flow& flow) {
  const auto& exchange = flow.exchange;
  services_.instruments.http_responses
      .with(exchange.path == exchange::ResponsePath::kLocal
                ? std::string_view("local")
                : endpoint_word(exchange.request.endpoint),
            std::to_string(flow.status))
      .add();
  // Scrapes and probes are counted above and would only fill the log.
  if (exchange.path == exchange::ResponsePath::kLocal) return;
  const Recording recording{
      .exchange = exchange,
      .config = flow.config(),
      .leaves = flow.routing ? flow.routing->program.leaves() : std::span<const exchange::Leaf>{},
      .moments = flow.moments,
      .status = flow.status,
      .error = flow.error,
      .client_gone = flow.gone.cancelled()};
  record_metrics(recording, services_.instruments);
  if (access_log_) record_access(recording, loop_.clock(), *access_log_);
  if (flow.config().tracing.enabled) {
    const telemetry::Sampler sampler(telemetry::Sampler::Kind::kProbabilistic,
                                     flow.config().tracing.sampling_rate);
    record_spans(recording, sampler, loop_.clock(), random_, services_.spans);
  }
}

net::Task<void> AdminHandler::handle(exchange::Exchange& exchange, http::ClientSink& sink,
                                     net::Cancellation&) {
  auto answer = answer_locally(exchange.client, services_, *snapshots_.get());
  if (answer && !*answer) answer = fail(Code::kNotFound, "Unknown path " + exchange.client.path);
  int status = 0;
  std::string body;
  http::Headers headers;
  if (answer) {
    status = (*answer)->status;
    headers.add("Content-Type", (*answer)->content_type);
    body = std::move((*answer)->body);
  } else {
    status = traits(answer.error().code).http_status;
    headers.add("Content-Type", "application/json");
    body = api::openai_error(answer.error());
  }
  const auto sent = co_await sink.start(start_of(status, std::move(headers), body.size()), body);
  if (sent) static_cast<void>(co_await sink.finish());
}

}  // namespace signalbox::pipeline
