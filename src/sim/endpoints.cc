#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "json/splice.h"
#include "json/writer.h"
#include "sim/answer.h"
#include "sim/ask.h"
#include "sim/prefix_cache.h"
#include "sim/state.h"

namespace signalbox::sim {
namespace {

using json::Value;

constexpr std::size_t kEmbeddingSize = 16;

Result<json::Document> parse(const Request& request) {
  SBX_TRY(auto document, json::Document::parse(request.body));
  if (!document.root().is_object())
    return fail(Code::kInvalidArgument, "the body must be a JSON object");
  return document;
}

Result<std::string> string_member(Value object, std::string_view key) {
  SBX_TRY(const auto value, object.find(key));
  return value && value->is_string() ? value->string() : std::string();
}

// Strings of a member that is one string or an array of strings.
Result<std::vector<std::string>> string_list(Value object, std::string_view key) {
  SBX_TRY(const auto value, object.find(key));
  if (!value)
    return fail(Code::kInvalidArgument, fmt::format("{} is required", key), std::string(key));
  if (value->is_string()) return std::vector{value->string()};
  std::vector<std::string> out;
  for (const Value element : value->elements()) {
    if (element.is_string()) {
      out.push_back(element.string());
      continue;
    }
    const auto text = element.is_object() ? element.find("text") : std::optional<Value>();
    out.push_back(text && *text ? text_of(**text) : std::string(element.raw()));
  }
  return out;
}

// The model must be one of ours; its absence means the base model.
Result<std::string> known_model(const State& state, Value root) {
  SBX_TRY(std::string model, string_member(root, "model"));
  if (model.empty()) return state.engine.options().model;
  if (!state.engine.serves(model)) return fail(Code::kModelNotFound, model, "model");
  return model;
}

// Directions from hashes: equal texts are equal, different ones nearly orthogonal.
std::array<double, kEmbeddingSize> embed(std::string_view text) {
  std::array<double, kEmbeddingSize> vector{};
  double norm = 0;
  for (std::size_t i = 0; i < kEmbeddingSize; ++i) {
    vector[i] = static_cast<double>(hash64(text, i + 1) >> 11) / 9007199254740992.0 - 0.5;
    norm += vector[i] * vector[i];
  }
  for (double& value : vector) value /= std::sqrt(norm);
  return vector;
}

// Share of the words of `query` that occur in `document`, 0..1.
double overlap(std::string_view query, std::string_view document) {
  const std::string lower_query = to_lower(query);
  const std::string lower_document = to_lower(document);
  const auto wanted = split(lower_query, ' ');
  const auto words = split(lower_document, ' ');
  const std::set<std::string_view> there(words.begin(), words.end());
  if (wanted.empty()) return 0;
  const auto found =
      std::ranges::count_if(wanted, [&](std::string_view word) { return there.contains(word); });
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

void append_prompt_usage(std::string& out, std::size_t tokens) {
  fmt::format_to(
      std::back_inserter(out),
      R"("usage":{{"prompt_tokens":{0},"total_tokens":{0},"completion_tokens":0,"prompt_tokens_details":null}}}})",
      tokens);
}

Result<Plain> embeddings(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_TRY(const auto model, known_model(state, document.root()));
  SBX_TRY(const auto inputs, string_list(document.root(), "input"));
  Plain plain;
  plain.body = fmt::format(
      R"({{"id":"embd-{}","object":"list","created":{},"model":{},"data":[)", state.requests,
      std::chrono::floor<std::chrono::seconds>(state.loop.clock().unix_time()).count(),
      json::quote(model));
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    tokens += count_tokens(inputs[i]);
    fmt::format_to(std::back_inserter(plain.body),
                   R"({}{{"index":{},"object":"embedding","embedding":[{:.6f}]}})",
                   i == 0 ? "" : ",", i, fmt::join(embed(inputs[i]), ","));
  }
  plain.body += "],";
  append_prompt_usage(plain.body, tokens);
  return plain;
}

Result<Plain> rerank(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_TRY(const auto model, known_model(state, document.root()));
  SBX_TRY(const auto query, string_member(document.root(), "query"));
  SBX_TRY(const auto documents, string_list(document.root(), "documents"));
  SBX_TRY(const auto top, document.root().find("top_n"));
  std::vector<std::size_t> order(documents.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::size_t i) { return overlap(query, documents[i]); });
  if (const auto wanted = top ? top->integer() : std::nullopt; wanted && *wanted > 0) {
    order.resize(std::min(order.size(), static_cast<std::size_t>(*wanted)));
  }
  Plain plain;
  json::Writer out(plain.body);
  out.begin_object()
      .key("id")
      .string(fmt::format("rerank-{}", state.requests))
      .key("model")
      .string(model);
  out.key("usage")
      .begin_object()
      .key("total_tokens")
      .integer(static_cast<std::int64_t>(count_tokens(request.body)));
  out.end_object().key("results").begin_array();
  for (const std::size_t i : order) {
    out.begin_object().key("index").integer(static_cast<std::int64_t>(i));
    out.key("document").begin_object().key("text").string(documents[i]).end_object();
    out.key("relevance_score").number(overlap(query, documents[i])).end_object();
  }
  out.end_array().end_object();
  return plain;
}

Result<Plain> score(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_TRY(const auto model, known_model(state, document.root()));
  SBX_TRY(const auto left, string_list(document.root(), "text_1"));
  SBX_TRY(const auto right, string_list(document.root(), "text_2"));
  if (left.empty() || (left.size() != 1 && left.size() != right.size())) {
    return fail(Code::kInvalidArgument, "text_1 must hold one text or as many as text_2", "text_1");
  }
  Plain plain;
  json::Writer out(plain.body);
  out.begin_object()
      .key("id")
      .string(fmt::format("score-{}", state.requests))
      .key("object")
      .string("list");
  out.key("model").string(model).key("data").begin_array();
  for (std::size_t i = 0; i < right.size(); ++i) {
    out.begin_object()
        .key("index")
        .integer(static_cast<std::int64_t>(i))
        .key("object")
        .string("score");
    out.key("score").number(overlap(left[left.size() == 1 ? 0 : i], right[i])).end_object();
  }
  out.end_array().key("usage").begin_object();
  out.key("total_tokens")
      .integer(static_cast<std::int64_t>(count_tokens(request.body)))
      .end_object()
      .end_object();
  return plain;
}

// A token is a number made of up to four bytes of text under a leading one, so that detokenising is exact. A chat is
// rendered as it is for the prefix cache.
Result<Plain> tokenize(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_CHECK_OK(known_model(state, document.root()));
  ++state.tokenized;
  if (const auto& tokenizer = state.engine.options().tokenizer) {
    Ask ask;
    const auto now = std::chrono::floor<std::chrono::seconds>(state.loop.clock().unix_time());
    auto used = use_tokenizer(ask, *tokenizer, document.root(), prompt::BodyKind::kTokenize, now);
    if (!used) return plain_error(400, used.error().message, "BadRequestError", "");
    return Plain{
        .body = fmt::format(R"({{"count":{},"max_model_len":{},"tokens":[{}],"token_strs":null}})",
                            ask.ids.size(), state.engine.options().context_tokens_max,
                            fmt::join(ask.ids, ","))};
  }
  SBX_TRY(std::string text, string_member(document.root(), "prompt"));
  SBX_TRY(const auto messages, document.root().find("messages"));
  if (messages) {
    SBX_TRY(Ask ask, read_ask(Dialect::kChat, document));
    text += ask.prompt;
  }
  std::string tokens;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += kTokenBytes, ++count) {
    std::uint64_t token = 1;
    for (const char c : std::string_view(text).substr(at, kTokenBytes))
      token = token << 8 | static_cast<unsigned char>(c);
    fmt::format_to(std::back_inserter(tokens), "{}{}", count == 0 ? "" : ",", token);
  }
  return Plain{
      .body = fmt::format(R"({{"count":{},"max_model_len":{},"tokens":[{}],"token_strs":null}})",
                          count, state.engine.options().context_tokens_max, tokens)};
}

Result<Plain> detokenize(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_CHECK_OK(known_model(state, document.root()));
  SBX_TRY(const auto tokens, document.root().find("tokens"));
  if (!tokens || !tokens->is_array())
    return fail(Code::kInvalidArgument, "tokens must be an array", "tokens");
  std::string text;
  for (const Value element : tokens->elements()) {
    const auto token = element.integer();
    if (!token || *token < 1) return fail(Code::kInvalidArgument, "not a token", "tokens");
    std::string bytes;
    for (auto left = static_cast<std::uint64_t>(*token); left > 1; left >>= 8)
      bytes += static_cast<char>(left);
    text.append(bytes.rbegin(), bytes.rend());
  }
  if (!json::Document::parse(json::quote(text)))
    return fail(Code::kInvalidArgument, "tokens are no text", "tokens");
  return Plain{.body = "{\"prompt\":" + json::quote(text) + "}"};
}

Result<Plain> models(State& state, const Request&) {
  const EngineOptions& options = state.engine.options();
  const auto created =
      std::chrono::floor<std::chrono::seconds>(state.loop.clock().unix_time()).count();
  Plain plain;
  json::Writer out(plain.body);
  const auto add = [&](std::string_view id, bool adapter) {
    out.begin_object().key("id").string(id).key("object").string("model").key("created").integer(
        created);
    out.key("owned_by").string("vllm").key("root").string(id).key("parent");
    adapter ? out.string(options.model) : out.null();
    out.key("max_model_len");
    adapter ? out.null() : out.integer(static_cast<std::int64_t>(options.context_tokens_max));
    out.end_object();
  };
  out.begin_object().key("object").string("list").key("data").begin_array();
  add(options.model, false);
  for (const auto& adapter : options.adapters) add(adapter, true);
  out.end_array().end_object();
  return plain;
}

Result<Plain> load_adapter(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_TRY(const auto name, string_member(document.root(), "lora_name"));
  if (name.empty()) return fail(Code::kInvalidArgument, "lora_name is required", "lora_name");
  if (!state.engine.load_adapter(name)) {
    return fail(Code::kInvalidArgument,
                fmt::format("The lora adapter '{}' has already been loaded.", name));
  }
  return Plain{.body = fmt::format("Success: LoRA adapter '{}' added successfully.", name),
               .content_type = "text/plain"};
}

Result<Plain> unload_adapter(State& state, const Request& request) {
  SBX_TRY(const auto document, parse(request));
  SBX_TRY(const auto name, string_member(document.root(), "lora_name"));
  if (!state.engine.unload_adapter(name)) {
    return plain_error(404, fmt::format("The lora adapter '{}' cannot be found.", name),
                       "NotFoundError", "");
  }
  return Plain{.body = fmt::format("Success: LoRA adapter '{}' removed successfully.", name),
               .content_type = "text/plain"};
}

Result<Plain> health(State& state, const Request&) {
  return Plain{.status = state.control.health, .content_type = ""};
}

Result<Plain> version(State&, const Request&) {
  return Plain{.body = R"({"version":"0.0.0-signalbox-sim"})"};
}

Result<Plain> metrics(State& state, const Request&) {
  Plain plain{.content_type = telemetry::kExpositionContentType};
  state.metrics.expose(plain.body);
  return plain;
}

Result<Plain> control(State& state, const Request& request) {
  SBX_CHECK_OK(state.control.apply(request.head.query));
  return Plain{.body = state.control.json()};
}

Result<Plain> clear_cache(State& state, const Request&) {
  state.engine.clear_prefix_cache();
  return Plain{.content_type = ""};
}

Result<Plain> transcription(State&, const Request& request) {
  return Plain{
      .body = fmt::format(R"({{"text":"[simulated] {} bytes of audio"}})", request.body.size())};
}

Result<Plain> sleep(State& state, const Request&) {
  state.sleeping = true;
  state.engine.clear_prefix_cache();
  return Plain{.content_type = ""};
}

Result<Plain> wake_up(State& state, const Request&) {
  state.sleeping = false;
  return Plain{.content_type = ""};
}

Result<Plain> is_sleeping(State& state, const Request&) {
  return Plain{.body = fmt::format(R"({{"is_sleeping":{}}})", state.sleeping)};
}

Result<Plain> speech(State&, const Request&) {
  return Plain{.body = "[simulated] sound", .content_type = "audio/mpeg"};
}

Result<Plain> voices(State&, const Request&) {
  return Plain{.body = R"({"voices":["simulated"]})"};
}

Result<Plain> image(State&, const Request&) {
  return Plain{.body = R"({"created":0,"data":[{"b64_json":"c2ltdWxhdGVk"}]})"};
}

Result<Plain> last(State& state, const Request&) {
  Plain plain;
  json::Writer out(plain.body);
  out.begin_object().key("engine").string(state.engine.options().name);
  out.key("requests").integer(static_cast<std::int64_t>(state.requests));
  out.key("tokenized").integer(static_cast<std::int64_t>(state.tokenized));
  out.key("finished").integer(static_cast<std::int64_t>(state.metrics.finished_count()));
  out.key("aborted").integer(static_cast<std::int64_t>(state.metrics.aborted_count()));
  out.key("running").integer(static_cast<std::int64_t>(state.engine.running()));
  out.key("waiting").integer(static_cast<std::int64_t>(state.engine.waiting()));
  out.key("connections").integer(static_cast<std::int64_t>(state.connections));
  out.key("connections_accepted").integer(static_cast<std::int64_t>(state.connections_accepted));
  if (state.last) {
    const http::RequestHead& head = state.last->head;
    out.key("method")
        .string(head.method)
        .key("path")
        .string(head.path)
        .key("query")
        .string(head.query);
    out.key("headers").begin_array();
    for (const auto& field : head.headers.fields()) {
      out.begin_array().string(field.name).string(field.value).end_array();
    }
    out.end_array().key("body_bytes").integer(static_cast<std::int64_t>(state.last->body.size()));
    const bool printable = json::Document::parse(state.last->body).has_value();
    out.key("body");
    printable ? out.string(state.last->body) : out.null();
  }
  out.end_object();
  return plain;
}

Result<Plain> last_body(State& state, const Request&) {
  return Plain{.body = state.last ? state.last->body : "",
               .content_type = "application/octet-stream"};
}

struct Route {
  std::string_view method;
  std::string_view path;
  Result<Plain> (*handle)(State&, const Request&);
};

constexpr std::array kRoutes = {
    Route{"GET", "/health", health},
    Route{"GET", "/ping", health},
    Route{"GET", "/metrics", metrics},
    Route{"GET", "/v1/models", models},
    Route{"GET", "/version", version},
    Route{"POST", "/v1/embeddings", embeddings},
    Route{"POST", "/rerank", rerank},
    Route{"POST", "/v1/rerank", rerank},
    Route{"POST", "/v2/rerank", rerank},
    Route{"POST", "/score", score},
    Route{"POST", "/v1/score", score},
    Route{"POST", "/tokenize", tokenize},
    Route{"POST", "/detokenize", detokenize},
    Route{"POST", "/v1/load_lora_adapter", load_adapter},
    Route{"POST", "/v1/unload_lora_adapter", unload_adapter},
    Route{"POST", "/v1/audio/transcriptions", transcription},
    Route{"POST", "/v1/audio/translations", transcription},
    Route{"POST", "/v1/audio/speech", speech},
    Route{"GET", "/v1/audio/voices", voices},
    Route{"POST", "/v1/images/generations", image},
    Route{"POST", "/v1/images/edits", image},
    Route{"POST", "/sleep", sleep},
    Route{"POST", "/wake_up", wake_up},
    Route{"GET", "/is_sleeping", is_sleeping},
    Route{"POST", "/reset_prefix_cache", clear_cache},
    Route{"GET", "/sim/ctl", control},
    Route{"POST", "/sim/ctl", control},
    Route{"GET", "/sim/last", last},
    Route{"GET", "/sim/last/body", last_body},
};

}  // namespace

Plain plain_error(int status, std::string_view message, std::string_view type,
                  std::string_view param) {
  return Plain{
      .status = status,
      .body = fmt::format(R"({{"error":{{"message":{},"type":"{}","param":{},"code":{}}}}})",
                          json::quote(message), type, param.empty() ? "null" : json::quote(param),
                          status)};
}

Plain plain_error(const Error& error) {
  if (error.code == Code::kModelNotFound) return model_not_found(error.message);
  return plain_error(traits(error.code).http_status, error.message, "BadRequestError", error.param);
}

Plain model_not_found(std::string_view model) {
  return plain_error(404, fmt::format("The model `{}` does not exist.", model), "NotFoundError",
                     "model");
}

Plain answer_plain(State& state, const Request& request) {
  bool path_known = false;
  for (const Route& route : kRoutes) {
    if (route.path != request.head.path) continue;
    path_known = true;
    if (route.method != request.head.method) continue;
    auto answered = route.handle(state, request);
    return answered ? *std::move(answered) : plain_error(answered.error());
  }
  if (path_known) return Plain{.status = 405, .body = R"({"detail":"Method Not Allowed"})"};
  return Plain{.status = 404, .body = R"({"detail":"Not Found"})"};
}

}  // namespace signalbox::sim
