#include "pipeline/pipeline.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "api/error_body.h"
#include "base/hash.h"
#include "pipeline/api_embed.h"
#include "pipeline/api_routes.h"
#include "pipeline/local.h"
#include "pipeline/naming.h"
#include "pipeline/own_answer.h"
#include "pipeline/response_headers.h"
#include "plugins/plugins.h"
#include "request/read_request.h"
#include "response/relay.h"
#include "upstream/prefill_half.h"

namespace signalbox::pipeline {
namespace {

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

// The first candidate is the one that is nearly always used; others go by estimates.
const discovery::ReplicaGroup* group_of(const exchange::Exchange& exchange,
                                        const discovery::EndpointSet& set) {
  return exchange.candidates.empty() ? nullptr : set.find(exchange.candidates.front().model->name);
}

bool generates_text(const exchange::Exchange& exchange) {
  return exchange.request.endpoint == exchange::Endpoint::kChatCompletions ||
         exchange.request.endpoint == exchange::Endpoint::kCompletions;
}

bool wants_token_ids(const exchange::Exchange& exchange, const discovery::EndpointSet& set) {
  if (!set.kv_events().enabled || !generates_text(exchange)) return false;
  const auto* group = group_of(exchange, set);
  if (group == nullptr || group->replicas.size() < 2) return false;
  return group->policy == config::BalancerPolicy::kKvAware ||
         group->policy == config::BalancerPolicy::kAuto;
}

bool is_disaggregated(const exchange::Exchange& exchange, const discovery::EndpointSet& set) {
  if (!set.disaggregated_prefill().enabled || !generates_text(exchange)) return false;
  const auto* group = group_of(exchange, set);
  return group != nullptr && group->disaggregated();
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
      token_finder_(loop, clients_, services.instruments) {
  if (services_.access_log) access_log_.emplace(*services_.access_log);
}

std::shared_ptr<const listener::ConnectionSettings> Pipeline::connection_settings() {
  return snapshots_.get()->connection;
}

void Pipeline::flush_access_log() {
  if (!access_log_) return;
  access_log_->flush();
  services_.instruments.access_log_dropped.add(access_log_->take_dropped());
}

net::Task<void> Pipeline::close() {
  co_await token_finder_.stop();
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
  auto done = co_await run(&flow);
  if (!done) co_await fail_request(&flow, std::move(done).error());
  flow.moments.finished_at = loop_.now();
  record(flow);
}

// The order of the stages. Cheap before dear: whatever can answer or refuse without a model runs before one.
net::Task<Result<void>> Pipeline::run(Flow* flow) {
  auto& exchange = flow->exchange;
  // Ours first: no body is judged, nothing can be wrong with it.
  SBX_CO_TRY(auto local, answer_locally(exchange.client, services_, *flow->snapshot));
  if (local) {
    exchange.path = exchange::ResponsePath::kLocal;
    co_return co_await send(flow, local->status, answer_headers(*flow, local->content_type),
                            std::move(local->body));
  }
  // Tools of the operator: they judge a request without sending it anywhere.
  if (is_api_path(exchange.client.path)) {
    exchange.path = exchange::ResponsePath::kLocal;
    const ApiCall call{exchange.client, exchange.identity, *flow->snapshot, loop_};
    SBX_CO_TRY(auto body, co_await answer_api(call));
    co_return co_await send(flow, 200, answer_headers(*flow, "application/json"), std::move(body));
  }
  // The engine must see what we judged, so the whole body is validated before anything looks at it.
  SBX_CO_CHECK_OK(read(*flow));
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
  co_return co_await forward(flow);
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
  if (!known) {
    return fail(Code::kNotFound, fmt::format("Unknown path {} for {}", exchange.client.path,
                                             exchange.client.method));
  }
  // Endpoints where the model may be left out go where the default is.
  exchange.request.model = flow.config().providers.default_model;
  return {};
}

net::Task<Result<void>> Pipeline::decide(Flow* flow) {
  auto& exchange = flow->exchange;
  const Name name = resolve(flow->config(), exchange.request.model);
  if (name.kind == NameKind::kUnknown) co_return unknown_model(exchange.request.model);
  services_.instruments.incoming_requests.with(exchange.request.model).add();
  if (name.kind == NameKind::kConcrete) {
    exchange.candidates.push_back(candidate_of(exchange.request.model, *name.target));
    co_return Result<void>{};
  }
  flow->recipe = name.recipe;
  flow->routing = &flow->snapshot->routing(name.recipe);
  flow->moments.understood_from = loop_.now();
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
  flow->moments.decided_at = loop_.now();
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

net::Task<Result<void>> Pipeline::forward(Flow* flow) {
  auto& exchange = flow->exchange;
  const config::Config& config = flow->config();
  exchange.path = exchange::ResponsePath::kUpstream;
  flow->moments.routed_at = loop_.now();
  const telemetry::InFlight in_flight(
      services_.instruments.inflight.with(exchange.candidates.front().public_name));
  const auto set = endpoints_.set();
  const bool add_usage = exchange.request.stream && !exchange.request.include_usage;
  // Policies that go by what engines hold of the prompt need to know it as they do.
  if (wants_token_ids(exchange, *set)) {
    upstream::TokenFinder::Query query{.config = flow->snapshot->config, .set = set};
    co_await token_finder_.find(&exchange, std::move(query));
  }
  upstream::Sending sending{.exchange = &exchange, .config = &config};
  // Engines for prompts take no others' requests.
  sending.choose = chooser(exchange, *set, discovery::Role::kDecode);
  sending.report = [this, &set](discovery::Endpoint& endpoint, discovery::Outcome outcome) {
    report(*set, endpoint, outcome);
  };
  sending.cancel = &flow->gone;
  sending.add_include_usage = add_usage;
  if (is_disaggregated(exchange, *set))
    SBX_CO_CHECK_OK(co_await prefill_first(flow, set.get(), &sending));
  SBX_CO_TRY(auto live, co_await upstream_.send(std::move(sending)));

  flow->status = live.head.status;
  response::Observer observer(
      {.endpoint = exchange.request.endpoint,
       .received_at = exchange.client.received_at,
       .hide_usage_chunk = add_usage,
       .first_output = [&live](TimePoint now) { live.choice.in_flight.first_token(now); }});
  response::RelayOptions options;
  options.endpoint = exchange.request.endpoint;
  options.request_id = exchange.client.request_id;
  options.idle_timeout = config.own.limits.stream_idle_timeout;
  options.total = exchange.client.deadline;
  add_response_headers(header_inputs(*flow), options.headers_set);
  auto relayed = co_await response::relay(&live.lease, std::move(live.head), &flow->sink, &observer,
                                          &loop_.clock(), std::move(options));
  exchange.usage = observer.usage();
  if (!relayed && relayed.error().code != Code::kCancelled) {
    // The engine broke off after its head: its attempt did not succeed after all.
    exchange.attempts[*exchange.answered].error = relayed.error().code;
    report(*set, *live.choice.replica->endpoint, discovery::Outcome::kFailure);
  }
  co_return relayed;
}

net::Task<Result<void>> Pipeline::prefill_first(Flow* flow, const discovery::EndpointSet* set,
                                                upstream::Sending* decode) {
  auto& exchange = flow->exchange;
  // The decode engine is chosen first: what it holds of the prompt decides whether the hop is worth it.
  auto choice = decode->choose({});
  if (!choice) co_return Result<void>{};  // send() says why
  const exchange::Route route = exchange.route;
  const auto missing = route.prompt_tokens - route.cached_tokens;
  std::string_view result = "skipped";
  const bool meant_for_it = choice->replica->role != discovery::Role::kPrefill;
  if (missing >= set->disaggregated_prefill().tokens_min && meant_for_it) {
    result = co_await prefill(flow, set, decode);
    if (flow->gone.cancelled()) co_return fail(Code::kCancelled, "the client is gone");
    if (result == "transferred") choice->in_flight.drop_prompt();
    exchange.route = route;
    exchange.answered.reset();
  }
  services_.instruments.disaggregated_requests.with(result).add();
  decode->first = *std::move(choice);
  co_return Result<void>{};
}

// How it went, for the metric. Whatever goes wrong here, the decode engine can compute the prompt itself.
net::Task<std::string_view> Pipeline::prefill(Flow* flow, const discovery::EndpointSet* set,
                                              upstream::Sending* decode) {
  const auto& settings = set->disaggregated_prefill();
  const bool hands_over = settings.transfer == config::KvTransfer::kNixl;
  const TimePoint begun = loop_.now();
  upstream::Sending half{.exchange = decode->exchange, .config = decode->config};
  half.choose = chooser(flow->exchange, *set, discovery::Role::kPrefill);
  half.report = decode->report;
  half.cancel = decode->cancel;
  half.prefill_half = true;
  half.asks_for_transfer = hands_over;
  half.deadline = Deadline::after(begun, settings.timeout);
  const Deadline deadline = flow->exchange.client.deadline.sooner(half.deadline);
  auto live = co_await upstream_.send(std::move(half));
  if (!live) co_return "failed";
  auto params = co_await upstream::prefill_answer(&*live, &loop_.clock(), deadline);
  live->choice.in_flight.first_token(loop_.now());
  services_.instruments.prefill_latency.with(live->choice.candidate->public_name)
      .observe(loop_.now() - begun);
  if (!params) co_return "failed";
  if (hands_over && params->empty()) co_return "no_params";
  decode->kv_transfer_params = hands_over ? *std::move(params) : std::string();
  co_return "transferred";
}

void Pipeline::report(const discovery::EndpointSet& set, discovery::Endpoint& endpoint,
                      discovery::Outcome outcome) {
  const auto transition = services_.endpoints.report(set, endpoint, outcome, loop_.now());
  if (transition == discovery::Transition::kEjected) {
    services_.instruments.upstream_ejections.with(endpoint.url()).add();
  }
}

upstream::Choose Pipeline::chooser(exchange::Exchange& exchange, const discovery::EndpointSet& set,
                                   discovery::Role role) {
  auto session = balancer::session_key(exchange.client, exchange.request, set.balancer());
  const int priority = balancer::priority(exchange.client, set.balancer());
  return [this, &exchange, &set, session = std::move(session), priority, role,
          prompt = balancer::Prompt(exchange)](
             std::span<const discovery::Endpoint* const> excluded) -> Result<upstream::Choice> {
    balancer::Context context;
    context.set = &set;
    context.now = loop_.now();
    if (session) {
      context.session = hash64(*session);
      context.session_text = *session;
    }
    context.prefill_tokens = exchange.request.context_tokens;
    if (exchange.tokens.ids) {
      const auto exact = static_cast<std::int64_t>(exchange.tokens.ids->size());
      // A beginning of the prompt says only how long it is at least.
      const bool whole = exchange.tokens.source != exchange::TokenSource::kCache;
      context.prefill_tokens = whole ? exact : std::max(exact, context.prefill_tokens);
      context.tokens = &exchange.tokens;
    }
    context.role = role;
    context.prompt = &prompt;
    // The answer of a prefill half is the first token.
    context.streams = exchange.request.stream || role == discovery::Role::kPrefill;
    context.priority = priority;
    SBX_TRY(auto pick, balancer_.pick(exchange.candidates, context, excluded));
    exchange.route = {pick.policy, pick.prompt_tokens, pick.cached_tokens, pick.exact};
    upstream::Choice choice;
    choice.candidate = pick.candidate;
    choice.replica = pick.replica;
    choice.in_flight = std::move(pick.in_flight);
    return choice;
  };
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
  add_response_headers(header_inputs(flow), headers);
  return headers;
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
  static_cast<void>(
      co_await send(flow, status, answer_headers(*flow, "application/json"), std::move(body)));
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
