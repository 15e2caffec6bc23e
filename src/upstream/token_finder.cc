#include "upstream/token_finder.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "http/fetch.h"
#include "json/document.h"
#include "upstream/credentials.h"
#include "upstream/render.h"

namespace signalbox::upstream {
namespace {

using exchange::Endpoint;
using exchange::TokenSource;

constexpr std::size_t kShortBytes = 512;
// Of a prompt, unknown, that nobody waits for: the last turn of a conversation.
constexpr std::size_t kTailShare = 8;
constexpr std::size_t kTailBytes = 1024;
constexpr std::size_t kEntryBytes = 64;  // of the cache, besides what it holds
// Of a call, whoever waits: what is learnt late serves the next turn.
constexpr std::chrono::seconds kCallTimeout{10};

std::optional<json::Value> member(const exchange::Request& request, std::string_view key) {
  const auto found = request.document.root().find(key);
  return found ? *found : std::nullopt;
}

// What changes the rendering besides the messages.
std::uint64_t rendering_hash(const exchange::Exchange& exchange,
                             const exchange::Candidate& candidate) {
  std::uint64_t hash = hash64(candidate.upstream_name);
  for (const std::string_view key :
       {"tools", "chat_template", "chat_template_kwargs", "documents", "add_generation_prompt",
        "continue_final_message", "add_special_tokens", "reasoning_effort"}) {
    if (const auto value = member(exchange.request, key)) hash = hash64(value->raw(), hash ^ 1);
  }
  if (exchange.edits.injected_system_prompt && exchange.decision.decision != nullptr &&
      exchange.decision.decision->plugins.system_prompt) {
    const auto& plugin = *exchange.decision.decision->plugins.system_prompt;
    hash = hash64(plugin.system_prompt, hash + static_cast<std::uint64_t>(plugin.mode));
  }
  if (candidate.use_reasoning) hash = hash64(*candidate.use_reasoning ? "on" : "off", hash);
  return hash;
}

std::optional<std::vector<std::uint32_t>> ids_in(json::Value array) {
  std::vector<std::uint32_t> ids;
  if (array.size() > limits::kPromptTokensMax) return std::nullopt;
  ids.reserve(array.size());
  for (const json::Value element : array.element_range()) {
    const auto id = element.integer();
    if (!id || *id < 0) return std::nullopt;
    ids.push_back(static_cast<std::uint32_t>(*id));
  }
  return ids;
}

prompt::Tokenized of_engine(std::vector<std::uint32_t> ids) {
  prompt::Tokenized tokenized;
  tokenized.ids = std::move(ids);
  return tokenized;
}

std::size_t size_of(const prompt::Tokenized& of) {
  return of.ids.size() * sizeof(std::uint32_t) + of.marks.size() * sizeof(tokenize::Mark) +
         of.rendered.text.size() + kEntryBytes;
}

}  // namespace

TokenIds ids_of(const KnownPrompt& known) {
  return known ? TokenIds(known, &known->ids) : TokenIds();
}

KnownPrompt TokenCache::find(std::uint64_t key) {
  const auto place = places_.find(key);
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->prompt;
}

void TokenCache::insert(std::uint64_t key, KnownPrompt prompt) {
  if (const auto place = places_.find(key); place != places_.end()) {
    bytes_ -= size_of(*place->second->prompt);
    entries_.erase(place->second);
    places_.erase(place);
  }
  if (size_of(*prompt) > bytes_max_) return;
  bytes_ += size_of(*prompt);
  entries_.push_front({key, std::move(prompt)});
  places_[key] = entries_.begin();
  while (bytes_ > bytes_max_) {
    bytes_ -= size_of(*entries_.back().prompt);
    places_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

PromptKeys prompt_keys(const exchange::Exchange& exchange, const exchange::Candidate& candidate) {
  PromptKeys keys;
  const auto& request = exchange.request;
  if (request.document.empty() || !request.document.root().is_object()) return keys;
  std::uint64_t key = rendering_hash(exchange, candidate);
  if (request.endpoint == Endpoint::kCompletions) {
    const auto prompt = member(request, "prompt");
    if (!prompt) return keys;
    if (prompt->is_string())
      keys.positions.push_back({hash64(prompt->raw(), key), prompt->raw().size()});
    else if (prompt->is_array())
      keys.ids = ids_in(*prompt);
    return keys;
  }
  if (request.endpoint != Endpoint::kChatCompletions) return keys;
  const auto messages = member(request, "messages");
  if (!messages || !messages->is_array()) return keys;
  std::size_t bytes = 0;
  for (const json::Value message : messages->element_range()) {
    const std::string_view raw = message.raw();
    bytes += raw.size();
    key = hash64(raw, key);
    keys.positions.push_back({key, bytes});
  }
  return keys;
}

Result<std::vector<std::uint32_t>> parse_tokenize_answer(std::string_view body) {
  const auto document = json::Document::parse(body);
  if (!document || !document->root().is_object())
    return fail(Code::kUpstreamProtocol, "the answer of /tokenize is no JSON object");
  const auto tokens = document->root().find("tokens");
  if (!tokens || !*tokens || !(*tokens)->is_array())
    return fail(Code::kUpstreamProtocol, "the answer of /tokenize has no tokens");
  std::vector<std::uint32_t> ids;
  if ((*tokens)->size() > limits::kPromptTokensMax)
    return fail(Code::kUpstreamProtocol, "the answer of /tokenize has too many tokens");
  ids.reserve((*tokens)->size());
  for (const json::Value element : (*tokens)->element_range()) {
    const auto id = element.integer();
    if (!id) return fail(Code::kUpstreamProtocol, "the answer of /tokenize has no token ids");
    ids.push_back(static_cast<std::uint32_t>(*id));
  }
  return ids;
}

// One question to an engine; shared by the request that waits for it and the task that carries it out.
struct TokenFinder::Call {
  Call(net::Loop& loop, std::shared_ptr<const discovery::EndpointSet> endpoints)
      : set(std::move(endpoints)), answer(loop) {}
  std::shared_ptr<const discovery::EndpointSet> set;
  const discovery::Replica* replica = nullptr;  // lives in set
  std::string model;
  http::FetchRequest request;
  std::uint64_t key = 0;
  net::OneShot<KnownPrompt> answer;
  Duration timeout{};
};

// Nothing when the model has no engine that could be asked, or the body cannot be rendered.
std::shared_ptr<TokenFinder::Call> TokenFinder::call_of(const exchange::Exchange& exchange,
                                                        const Query& query, std::uint64_t key) {
  const exchange::Candidate& candidate = exchange.candidates[query.candidate];
  const auto* group = query.set->find(candidate.model->name);
  if (group == nullptr) return nullptr;
  const discovery::Replica* best = nullptr;
  for (const auto& replica : group->replicas) {
    const auto& endpoint = *replica.endpoint;
    const bool usable = endpoint.health() != discovery::Health::kUnhealthy &&
                        endpoint.service(loop_.now()) == discovery::Service::kOpen &&
                        !endpoint.draining() && query.set->tells_blocks(replica);
    if (usable && (best == nullptr || endpoint.in_flight() < best->endpoint->in_flight()))
      best = &replica;
  }
  if (best == nullptr) return nullptr;
  const auto& families = query.config->providers.reasoning_families;
  const auto family = families.find(candidate.model->reasoning_family);
  auto body = render_body(exchange.client, exchange.request, exchange.edits.body, candidate,
                          family == families.end() ? nullptr : &family->second,
                          {.api_format = candidate.model->api_format});
  if (!body) return nullptr;
  auto call = std::make_shared<Call>(loop_, query.set);
  const net::Address& address = best->endpoint->address();
  call->replica = best;
  call->model = candidate.model->name;
  call->key = key;
  call->timeout = query.set->kv_events().tokenize_timeout;
  call->request.method = "POST";
  call->request.url =
      fmt::format("{}://{}{}{}", address.tls ? "https" : "http", net::to_string(address),
                  best->endpoint->base_path(), query.set->kv_events().tokenize_path);
  call->request.headers.add("content-type", "application/json");
  add_credentials(best->backend, call->request.headers);
  call->request.body = body->str();
  call->request.response_bytes_max = limits::kTokenizeAnswerBytesMax;
  return call;
}

net::Task<KnownPrompt> TokenFinder::ask(std::shared_ptr<Call> call) {
  const TimePoint begun = loop_.now();
  auto response = co_await http::fetch(&clients_, std::move(call->request),
                                       Deadline::after(begun, kCallTimeout), &stop_);
  instruments_.tokenize_latency.observe(loop_.now() - begun);
  if (!response) {
    complain(call->model, response.error().message);
    co_return nullptr;
  }
  if (response->status != 200) {
    complain(call->model, fmt::format("status {}", response->status));
    co_return nullptr;
  }
  auto ids = parse_tokenize_answer(response->body);
  if (!ids) {
    complain(call->model, ids.error().message);
    co_return nullptr;
  }
  co_return std::make_shared<const prompt::Tokenized>(of_engine(*std::move(ids)));
}

net::Task<void> TokenFinder::learn(std::shared_ptr<Call> call) {
  auto prompt = co_await ask(call);
  if (prompt) cache_.insert(call->key, prompt);
  call->answer.set(std::move(prompt));
}

net::Task<KnownPrompt> TokenFinder::wait_for(std::shared_ptr<Call> call) {
  auto ids = co_await call->answer.wait(Deadline::after(loop_.now(), call->timeout));
  if (!ids) {
    complain(call->model, "no answer in time");
    co_return nullptr;
  }
  co_return *std::move(ids);
}

void TokenFinder::complain(const std::string& model, const std::string& why) {
  if (stop_.cancelled() || !complained_.insert(model).second) return;
  log::warning(
      "{}: token ids are not to be had from /tokenize ({}); such requests are routed by the "
      "estimated "
      "prefix. Told once; signalbox_prompt_token_ids_total counts them",
      model, why);
}

// `word` for the metric where the source alone does not say it.
void TokenFinder::found(exchange::Exchange* exchange, TokenSource source, TokenIds ids,
                        std::string_view word) {
  static constexpr std::string_view kWords[] = {"none", "body", "cache", "engine"};
  exchange->tokens.source = ids ? source : TokenSource::kNone;
  exchange->tokens.ids = std::move(ids);
  if (word.empty()) word = kWords[static_cast<std::size_t>(exchange->tokens.source)];
  instruments_.prompt_tokens_found.with(word).add();
}

KnownPrompt TokenFinder::tokenize_here(const exchange::Exchange& exchange, const Query& query,
                                       const KnownPrompt& beginning) {
  const exchange::Candidate& candidate = exchange.candidates[query.candidate];
  if (query.tokenizers == nullptr) return nullptr;
  const auto found = query.tokenizers->find(candidate.model->name);
  if (found == query.tokenizers->end() ||
      found->second->agreed.load(std::memory_order_relaxed) == 0)
    return nullptr;
  const TimePoint begun = loop_.clock().now();
  const prompt::PromptTokenizer& tokenizer = *found->second->tokenizer;
  // The body as the engine gets it; nearly always the client's own.
  std::string body;
  json::Document edited;
  if (!exchange.edits.body.empty() || candidate.use_reasoning) {
    const auto& families = query.config->providers.reasoning_families;
    const auto family = families.find(candidate.model->reasoning_family);
    auto patched = render_body(exchange.client, exchange.request, exchange.edits.body, candidate,
                               family == families.end() ? nullptr : &family->second,
                               {.api_format = candidate.model->api_format});
    if (!patched) return nullptr;
    body = patched->str();
    auto parsed = json::Document::parse(body);
    if (!parsed) return nullptr;
    edited = *std::move(parsed);
  }
  const json::Value root = edited.empty() ? exchange.request.document.root() : edited.root();
  const auto now = std::chrono::floor<std::chrono::seconds>(loop_.clock().unix_time());
  auto rendered = tokenizer.render(root, prompt::BodyKind::kGeneration, now);
  if (!rendered || !found->second->may_tokenize(rendered->features)) return nullptr;
  if (tokenizer.new_bytes(*rendered, beginning.get()) > limits::kLocalPromptBytesMax)
    return nullptr;
  auto made = std::make_shared<const prompt::Tokenized>(
      tokenizer.tokenize(*std::move(rendered), beginning.get()));
  instruments_.local_tokenize_latency.observe(loop_.clock().now() - begun);
  return made;
}

net::Task<void> TokenFinder::find(exchange::Exchange* exchange, Query query) {
  PromptKeys keys = prompt_keys(*exchange, exchange->candidates[query.candidate]);
  exchange->tokens.candidate = query.candidate;
  if (const auto salt = exchange->request.document.empty()
                            ? std::nullopt
                            : member(exchange->request, "cache_salt");
      salt && salt->is_string())
    exchange->tokens.cache_salt = salt->string();
  if (keys.ids) {
    found(exchange, TokenSource::kBody,
          std::make_shared<const std::vector<std::uint32_t>>(*std::move(keys.ids)));
    co_return;
  }
  if (keys.positions.empty() || keys.positions.back().bytes_end < kShortBytes) co_return;
  const std::size_t bytes = keys.positions.back().bytes_end;
  KnownPrompt known;
  std::size_t known_bytes = 0;
  for (auto position = keys.positions.rbegin(); position != keys.positions.rend() && !known;
       ++position) {
    known = cache_.find(position->key);
    known_bytes = known ? position->bytes_end : 0;
  }
  const std::size_t unknown = bytes - known_bytes;
  if (unknown > 0 && bytes <= limits::kLocalRenderBytesMax) {
    if (KnownPrompt made = tokenize_here(*exchange, query, known)) {
      cache_.insert(keys.positions.back().key, made);
      found(exchange, TokenSource::kEngine, ids_of(made), "local");
      co_return;
    }
  }
  std::shared_ptr<Call> call;
  if (unknown > 0 && calls_.size() < limits::kTokenizeCallsMax && !stop_.cancelled())
    call = call_of(*exchange, query, keys.positions.back().key);
  if (call) calls_.spawn(learn(call));
  const bool enough = known && unknown <= std::max(kTailBytes, bytes / kTailShare);
  if (enough || !call) {
    found(exchange, TokenSource::kCache, ids_of(known));
    co_return;
  }
  const KnownPrompt asked = co_await wait_for(std::move(call));
  // A shorter beginning is still better than nothing.
  found(exchange, asked ? TokenSource::kEngine : TokenSource::kCache,
        ids_of(asked ? asked : known));
}

net::Task<void> TokenFinder::stop() {
  stop_.cancel();
  co_await calls_.join();
}

}  // namespace signalbox::upstream
