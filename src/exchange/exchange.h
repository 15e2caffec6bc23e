// The exchange: everything known about one request, as outputs of stages. Each struct is written once, by the stage
// named above it, and only read afterwards; `attempts` is append-only. A stage is a function of const inputs to one
// output, so no stage can reach forward. Doors create an Exchange and hold no routing logic of their own.
//
// Lifetime: one Exchange per request, on the core that owns the client connection. Views point into `client.body`,
// which never moves or changes after the request stage: edits are a splice list beside it. When an engine has begun to
// answer, body and views go.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "config/model.h"
#include "exchange/leaf.h"
#include "http/headers.h"
#include "json/document.h"
#include "json/splice.h"

namespace signalbox::exchange {

// What the engine is asked for, by path. Decides which body fields are read and which plugins apply.
enum class Endpoint : std::uint8_t {
  kChatCompletions,
  kCompletions,
  kEmbeddings,
  kResponses,
  kMessages,  // Anthropic
  kRerank,
  kScore,
  kTokenize,
  kDetokenize,
  kAudio,  // transcriptions, translations, speech
  kOther,  // proxied by model where the body names one
};

// Written by the listener. The message as the client sent it.
struct ClientRequest {
  std::string request_id;             // x-request-id of the client if well-formed, else ours
  std::string trace_id;               // 32 hex digits, from traceparent or new
  std::string parent_span_id;         // 16 hex digits or empty
  std::string span_id;                // ours, 16 hex digits
  std::optional<bool> trace_sampled;  // the caller's decision; nothing: ours to take
  std::string method;
  std::string path;       // without query
  std::string query;      // without '?'
  http::Headers headers;  // internal headers already stripped
  std::string
      body;  // whole body, decoded from chunks; empty once Exchange::forget_body() was called
  std::size_t body_bytes_forgotten = 0;
  std::string
      handed_on;  // what a Signalbox before us says it knows; nobody has looked at its signature
  std::string peer_address;   // IP literal
  bool peer_trusted = false;  // identity headers count
  TimePoint received_at;
  Deadline deadline = Deadline::none();
};

// Written by the listener from trusted headers; empty for everyone else.
struct Identity {
  std::string key_name;  // of the API key that the client showed; empty: none is asked for
  std::string user;
  std::vector<std::string> groups;
};

struct Message {
  std::string_view role;
  // Text of the message with parts joined by a newline; owned by Request::texts when it had to be unescaped or joined.
  std::string_view text;
  bool has_image = false;
  bool has_tool_calls = false;
};

// A piece of client.body.
struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;  // one past the last
};

// Written by request/: what the body says. `document` indexes client.body.
struct Request {
  Endpoint endpoint = Endpoint::kOther;
  json::Document document;              // empty unless the body is JSON
  std::optional<ByteRange> form_model;  // value of the field `model` of a multipart form
  std::string model;                    // unescaped, as requested
  bool stream = false;
  bool include_usage = false;     // stream_options.include_usage was true
  std::vector<Message> messages;  // in order; for completions one user message holding the prompt
  std::string_view user_text;     // last user message: what classifiers judge
  std::size_t tool_count = 0;     // entries of `tools`
  bool active_tool_loop = false;  // last message is a tool result
  std::int64_t max_tokens = 0;    // 0: not set
  std::size_t text_bytes = 0;     // sum of message text
  std::int64_t context_tokens =
      0;  // estimate for context bands: text_bytes / 4, see docs/life-of-a-request.md
  std::vector<std::pair<std::string, std::string>> metadata;  // body `metadata` strings
  std::string user;                                           // body `user`
  std::vector<std::unique_ptr<std::string>> texts;  // storage behind views that needed unescaping
};

// Value of one leaf as the signals stage saw it. A skipped leaf is kNotEvaluated, never "no match".
enum class SignalState : std::uint8_t { kNotEvaluated, kNoMatch, kMatch, kFailed };

struct SignalValue {
  SignalState state = SignalState::kNotEvaluated;
  float confidence = 1.0F;  // 0..1; 1 where the kind has no notion of confidence
};

// How domain was found; the ladder of degradation. A header names the rung when it is not the encoder.
enum class Rung : std::uint8_t { kNone, kEncoder, kEmbedding, kKeyword, kDefault };

// What the leaves of one kind took together; a kind's leaves share one scan or one pass.
struct KindCost {
  std::uint32_t leaves = 0;  // evaluated
  Duration time{};
};

// Written by signals/: values by leaf index of the compiled program, and what the encoder said.
struct Signals {
  std::vector<SignalValue> leaves;
  std::string_view
      category;  // best domain label; static storage of the model, empty if not evaluated
  float category_confidence = 0;
  Rung rung = Rung::kNone;
  std::string_view language;  // ISO 639-1, empty if not evaluated
  bool foreign = false;       // surely not English, so the encoder's verdicts do not count
  std::uint32_t encoder_passes = 0;
  std::uint32_t tokens_seen = 0;   // tokens the encoder looked at
  std::uint32_t tokens_total = 0;  // tokens of the whole text; more than seen means sampled
  Duration encoder_time{};         // waiting for the encoder, queue included
  std::array<KindCost, kLeafKindCount> kinds{};  // by LeafKind; names of metrics are the pipeline's
};

// Written by decision/: the winner. `decision` is nullptr when nothing matched (default model).
struct Decision {
  const config::Decision* decision = nullptr;
  double confidence = 0;
  const config::Decision* runner_up = nullptr;
  double margin = 0;         // in the unit of the strategy: priority steps or confidence
  bool automatic = false;    // the client asked for an automatic name
  bool use_default = false;  // automatic, but no decision matched
};

// One thing the request may be sent to, best first. Written by decision/ (automatic) or by name lookup (concrete).
struct Candidate {
  const config::Model* model = nullptr;  // provider entry that serves it
  std::string
      upstream_name;        // lora_name, else provider_model_id, else name: what the engine is told
  std::string public_name;  // name shown in headers and metrics
  std::string adapter;      // lora_name or empty
  std::optional<bool> use_reasoning;  // nothing: leave the client's own fields alone
  std::string reasoning_effort;
};

// Written by plugins/: model-independent edits of the body and of the headers that go upstream, or an answer of our own.
struct Edits {
  json::Patch body;  // on client.body
  std::vector<std::pair<std::string, std::string>> headers_set;
  std::vector<std::string> headers_removed;
  bool injected_system_prompt = false;
  std::optional<std::string> fast_response;  // text of the assistant's answer; no upstream is asked
};

// Where token ids of a prompt come from.
enum class TokenSource : std::uint8_t {
  kNone,    // not asked for, or not to be had
  kBody,    // the client sent them
  kCache,   // a beginning of the prompt that was seen before
  kEngine,  // an engine's /tokenize, or our own tokenizer, which agrees with it
};

// Written by upstream/ before the first choice, where a policy asks for it: the prompt as its engine numbers it, or a
// beginning of it that reaches at least nearly to the end.
struct PromptTokens {
  TokenSource source = TokenSource::kNone;
  std::size_t candidate = 0;  // whose model's tokens they are, index in Exchange::candidates
  std::shared_ptr<const std::vector<std::uint32_t>> ids;  // nullptr with kNone
  std::string cache_salt;  // body `cache_salt`: engines share blocks among equal ones only
};

// What the Signalbox before us found out about the request, verified (pipeline/hand_on.h).
struct HandedOn {
  std::string decision;  // name of the winner; empty: none was asked for
  std::string session;   // key of the conversation; empty: none
  std::int64_t context_tokens = 0;
  // The prompt as balancer::Prompt names it; empty: too long, or not looked at.
  std::vector<std::uint64_t> blocks;
  std::size_t prompt_bytes = 0;
  bool operator==(const HandedOn&) const = default;
};

// Who says what an engine holds of a prompt.
enum class CacheSource : std::uint8_t {
  kEstimate,  // what was sent to it
  kKvEvents,  // itself
  kLmcache,   // its LMCache, which does not know what the GPU's cache holds
};

// Written by balancer/, anew for each attempt: how its replica was chosen.
struct Route {
  std::string_view policy;         // static name; empty before the first choice
  std::int64_t prompt_tokens = 0;  // estimate
  std::int64_t cached_tokens = 0;  // of them, believed to be in the replica's cache
  CacheSource cache_source = CacheSource::kEstimate;  // of cached_tokens
};

enum class ResponsePath : std::uint8_t {
  kUpstream,
  kFastResponse,
  kBlocked,
  kRateLimited,
  kError,
  kLocal
};

// One try at an upstream; appended by upstream/.
struct Attempt {
  std::string endpoint_url;
  std::size_t candidate = 0;  // index in Exchange::candidates
  int status = 0;             // HTTP status, 0 when none came
  std::optional<Code> error;  // why it failed, if it did
  TimePoint started_at;
  Duration connect_time{};
  Duration first_byte_time{};  // from started_at; zero when none came
  bool reused_connection = false;
  bool prefill = false;  // the prefill half of a disaggregated request; its answer is not relayed
};

// Written by response/: what the relayed response told us.
struct Usage {
  bool known = false;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  Duration ttft{};     // request received to first token relayed
  Duration itl_sum{};  // between tokens, summed
  std::uint32_t itl_count = 0;
  std::uint64_t body_bytes = 0;
  bool complete = false;  // the end of the response was relayed
};

struct Exchange {
  // Made by this process itself (a request of a batch): whoever made it was let in before.
  bool inside = false;
  ClientRequest client;
  Identity identity;
  Request request;
  Signals signals;
  Decision decision;
  std::vector<Candidate> candidates;
  Edits edits;
  std::optional<HandedOn> handed_on;
  PromptTokens tokens;
  Route route;
  std::vector<Attempt> attempts;
  // Written by upstream/: index of the attempt whose answer is relayed. Not always the last one: an engine's own refusal
  // is passed on when a later attempt did not even connect.
  std::optional<std::size_t> answered;
  ResponsePath path = ResponsePath::kUpstream;
  Usage usage;

  // Gives back what only an attempt needs, once none will follow: the body and all that points into it, the tokens, the
  // edits. An answer may take minutes, and its prompt megabytes.
  void forget_body();

  // The attempt that stands for the request in headers, metrics and logs: the one that answered, else the last one;
  // nullptr when none was made.
  const Attempt* answering_attempt() const {
    if (answered) return &attempts[*answered];
    return attempts.empty() ? nullptr : &attempts.back();
  }
  // The candidate of that attempt, else the first choice; nullptr when nothing was chosen.
  const Candidate* answering_candidate() const {
    if (const auto* attempt = answering_attempt()) return &candidates[attempt->candidate];
    return candidates.empty() ? nullptr : &candidates.front();
  }
};

}  // namespace signalbox::exchange
