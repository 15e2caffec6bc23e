// The last stage behind a proxy: it carries the request to the engine, and the answer past us. Up to here a request of a
// proxy and one of the HTTP door are the same.
#include <utility>

#include "balancer/prompt.h"
#include "balancer/session.h"
#include "base/ids.h"
#include "listener/http/client_request.h"
#include "listener/http/trust.h"
#include "pipeline/hand_on.h"
#include "pipeline/local.h"
#include "pipeline/pipeline.h"
#include "request/endpoint.h"
#include "response/observer.h"
#include "upstream/render.h"
#include "upstream/request_head.h"

namespace signalbox::pipeline {
namespace {

constexpr std::string_view kModelList = "/v1/models";
constexpr std::string_view kSelectedModel = "x-selected-model";  // what the semantic router sets
constexpr std::string_view kDestination = "x-gateway-destination-endpoint";

bool is_event_stream(const http::Headers& headers) {
  return headers.get("content-type").starts_with("text/event-stream");
}

const config::BackendRef& first_backend(const exchange::Candidate& candidate) {
  static const config::BackendRef kNone;
  return candidate.model->backends.empty() ? kNone : candidate.model->backends.front();
}

// What the Signalbox behind the proxy need not find out again.
exchange::HandedOn known_of(const exchange::Exchange& exchange, const config::Balancer& settings) {
  const balancer::Prompt prompt(exchange);
  const auto blocks = prompt.chain().hashes();
  exchange::HandedOn known{
      .decision = exchange.decision.decision != nullptr ? exchange.decision.decision->name : "",
      .session = balancer::session_key(exchange.client, exchange.request, settings).value_or(""),
      .context_tokens = exchange.request.context_tokens,
      .blocks = {},
      .prompt_bytes = prompt.chain().bytes()};
  if (blocks.size() <= limits::kHandedOnBlocksMax)
    known.blocks.assign(blocks.begin(), blocks.end());
  return known;
}

}  // namespace

// What is known of the replica that was chosen. The proxy may go elsewhere: the choice is a hint to its route.
struct Pipeline::Handover {
  std::shared_ptr<const discovery::EndpointSet> set;
  std::optional<upstream::Choice>
      choice;  // nothing: no replica looks usable from here, the proxy may know better
  const exchange::Candidate* candidate = nullptr;
  bool add_usage = false;
};

bool Pipeline::concerns(std::string_view path) const {
  return path == kModelList || request::endpoint_of(path) != exchange::Endpoint::kOther;
}

net::Task<void> Pipeline::handle_carried(exchange::Exchange& exchange, http::ClientSink& sink,
                                         listener::Carrier& carrier,
                                         net::Cancellation& client_gone) {
  Flow flow{.exchange = exchange,
            .sink = sink,
            .gone = client_gone,
            .snapshot = snapshots_.get(),
            .carrier = &carrier};
  co_await finish(&flow);
}

Result<listener::Carried> Pipeline::carried_request(Flow& flow, Handover& handover) {
  auto& exchange = flow.exchange;
  const config::Config& config = flow.config();
  const config::ExtProcDoor& door = config.own.extproc;
  const auto* replica = handover.choice ? handover.choice->replica : nullptr;
  const config::BackendRef& backend =
      replica != nullptr ? replica->backend : first_backend(*handover.candidate);
  const net::Address nowhere;
  const upstream::HeadInputs inputs{
      .client = exchange.client,
      .edits = exchange.edits,
      .endpoint = exchange.request.endpoint,
      .backend = backend,
      .address = replica != nullptr ? replica->endpoint->address() : nowhere,
      .base_path = backend.base_path,
      .span_id = random_hex(random_, 1)};
  listener::Carried carried;
  SBX_TRY(const json::EditedText body,
          upstream::render_attempt(exchange, config, *handover.candidate, backend,
                                   {.add_include_usage = handover.add_usage}));
  carried.body = body.str();
  carried.body_changed = carried.body != exchange.client.body;
  carried.headers = upstream::request_headers(inputs);
  carried.headers.set(kSelectedModel, handover.candidate->upstream_name);
  if (!door.model_header.empty()) {
    carried.headers.set(door.model_header, handover.candidate->upstream_name);
  }
  if (replica != nullptr && door.destination) {
    const auto& address = replica->endpoint->address();
    if (listener::is_ip_literal(address.host)) carried.destination = net::to_string(address);
  }
  if (!carried.destination.empty()) carried.headers.set(kDestination, carried.destination);
  if (config.own.hand_on.send) {
    const auto now = std::chrono::floor<std::chrono::seconds>(loop_.clock().unix_time());
    carried.headers.set(listener::kHandedOnHeader,
                        hand_on(known_of(exchange, config.own.balancer), carried.body, now,
                                config.own.hand_on.secret));
  }
  // Only where the backend wants another path than the client asked for.
  const std::string target = upstream::request_target(inputs);
  const std::string asked = exchange.client.query.empty()
                                ? exchange.client.path
                                : exchange.client.path + '?' + exchange.client.query;
  if (target != asked) carried.target = target;
  return carried;
}

net::Task<Result<void>> Pipeline::hand_over(Flow* flow) {
  auto& exchange = flow->exchange;
  exchange.path = exchange::ResponsePath::kUpstream;
  flow->moments.routed_at = loop_.clock().now();
  const telemetry::InFlight in_flight(
      services_.instruments.inflight.with(exchange.candidates.front().public_name));
  Handover handover;
  handover.set = endpoints_.set();
  handover.candidate = &exchange.candidates.front();
  handover.add_usage = exchange.request.stream && !exchange.request.include_usage;
  if (auto choice = chooser(*flow, *handover.set, discovery::Role::kDecode)({})) {
    handover.choice = *std::move(choice);
    handover.candidate = handover.choice->candidate;
  }
  SBX_CO_TRY(auto carried, carried_request(*flow, handover));
  exchange.forget_body();
  exchange::Attempt attempt;
  attempt.endpoint_url = handover.choice ? handover.choice->replica->endpoint->url()
                                         : first_backend(*handover.candidate).url();
  attempt.candidate = static_cast<std::size_t>(handover.candidate - exchange.candidates.data());
  attempt.started_at = loop_.now();
  exchange.attempts.push_back(std::move(attempt));

  auto head = co_await flow->carrier->send(std::move(carried));
  if (!head) co_return std::unexpected(std::move(head).error());
  exchange.answered = 0;
  // The proxy does not show answers: all that can be known is known.
  if (!*head) co_return Result<void>{};
  exchange.attempts[0].status = (*head)->status;
  exchange.attempts[0].first_byte_time = loop_.now() - exchange.attempts[0].started_at;
  flow->status = (*head)->status;
  co_return co_await watch_answer(flow, &handover, **std::move(head));
}

net::Task<Result<void>> Pipeline::watch_answer(Flow* flow, Handover* handover,
                                               http::ResponseHead head) {
  auto& exchange = flow->exchange;
  response::Observer::Options options;
  options.endpoint = exchange.request.endpoint;
  options.received_at = exchange.client.received_at;
  options.hide_usage_chunk = handover->add_usage;
  options.first_output = [handover](TimePoint now) {
    if (handover->choice) handover->choice->in_flight.first_token(now);
  };
  response::Observer observer(std::move(options));
  observer.start(head);
  const bool nothing_to_see =
      !observer.event_stream() && flow->config().own.extproc.skip_response_body;
  listener::Watch watch = listener::Watch::kWhole;
  if (is_event_stream(head.headers)) watch = listener::Watch::kPieces;
  if (nothing_to_see) watch = listener::Watch::kNothing;
  services_.instruments.extproc_load_source.with(nothing_to_see ? "scrape" : "stream").add();

  add_response_headers(header_inputs(*flow), head.headers);
  if (observer.may_change_length()) head.headers.remove("content-length");
  flow->carrier->start(std::move(head.headers), watch);
  std::string joined;
  for (;;) {
    auto piece = co_await flow->carrier->read();
    if (!piece) {
      exchange.usage = observer.usage();
      co_return std::unexpected(std::move(piece).error());
    }
    auto passed = observer.observe(piece->bytes, loop_.now());
    if (!piece->last) {
      flow->carrier->pass(passed);
      continue;
    }
    joined = passed;
    const auto rest = observer.finish();
    if (!rest.empty()) {
      joined += rest;
      passed = joined;
    }
    // Without `rest` the piece itself is still where it was, but for what was held back of it.
    flow->carrier->pass(rest.empty() && joined == piece->bytes ? piece->bytes
                                                               : std::string_view(joined));
    exchange.usage = observer.usage();
    co_return Result<void>{};
  }
}

}  // namespace signalbox::pipeline
