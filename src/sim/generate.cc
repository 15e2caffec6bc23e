#include <fmt/format.h>

#include <algorithm>

#include "http/chunked.h"
#include "json/splice.h"
#include "sim/connection.h"
#include "sim/pause.h"

namespace signalbox::sim {
namespace {

// Tokens that are due at once are sent one write each, and others of the loop get a turn after so many.
constexpr std::size_t kTurnTokens = 64;

// co_await Turn{loop}: goes on after what the loop has ready.
struct Turn {
  net::Loop& loop;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) const {
    loop.post([handle] { handle.resume(); });
  }
  void await_resume() const {}
};

}  // namespace

Connection::Generation Connection::plan(Ask ask) {
  const EngineOptions& options = state_.engine.options();
  Generation generation;
  generation.ask = std::move(ask);
  AnswerOptions wanted{.engine = options.name,
                       .is_adapter = state_.engine.is_adapter(generation.ask.model),
                       .tokens = faults_.tokens > 0 ? faults_.tokens : options.answer_tokens};
  generation.answer = make_answer(generation.ask, wanted);
  generation.answer.prompt_tokens = count_tokens(generation.ask.prompt);
  generation.gap = faults_.itl.value_or(options.decode);
  return generation;
}

net::Task<bool> Connection::generate(Dialect dialect) {
  const auto document = json::Document::parse(request_->body);
  if (!document) co_return co_await send_plain(plain_error(document.error()));
  auto ask = read_ask(dialect, *document);
  if (!ask) co_return co_await send_plain(plain_error(ask.error()));
  if (ask->model.empty()) ask->model = state_.engine.options().model;
  if (!state_.engine.serves(ask->model)) co_return co_await send_plain(model_not_found(ask->model));
  const auto& tokenizer = state_.engine.options().tokenizer;
  if (tokenizer && (dialect == Dialect::kChat || dialect == Dialect::kCompletions)) {
    const auto now = std::chrono::floor<std::chrono::seconds>(state_.loop.clock().unix_time());
    auto used =
        use_tokenizer(*ask, *tokenizer, document->root(), prompt::BodyKind::kGeneration, now);
    if (!used)
      co_return co_await send_plain(plain_error(400, used.error().message, "BadRequestError", ""));
  }

  Generation generation = plan(*std::move(ask));
  Sequence sequence(state_.engine);
  if (!co_await admit(sequence, generation)) co_return false;
  if (!sequence.running()) {
    co_return co_await send_plain(
        plain_error(503, "the queue is full", "ServiceUnavailableError", ""));
  }
  generation.answer.cached_tokens = sequence.cached_tokens();
  if (generation.ask.keeps_blocks) generation.answer.kv_transfer_params = kept_blocks(generation);
  generation.first_token_at =
      faults_.ttft ? sequence.submitted_at() + *faults_.ttft : sequence.token_due(0);
  const Reply reply{
      .id = fmt::format("sim-{:016x}", state_.random.next()),
      .created = std::chrono::floor<std::chrono::seconds>(state_.loop.clock().unix_time()).count(),
      .ask = generation.ask,
      .answer = generation.answer};
  const auto wire = make_wire(dialect, reply);
  bool done = false;
  if (generation.ask.stream) {
    done = co_await send_stream(*wire, generation);
  } else {
    done = co_await send_whole(*wire, generation);
  }
  if (done) {
    record(generation, sequence);
  } else {
    state_.metrics.aborted();
  }
  state_.engine.end(sequence, state_.loop.now());
  co_return done&& keep_alive_;
}

// Where another engine fetches the prompt's blocks, in the words of vLLM's NIXL connector.
std::string Connection::kept_blocks(const Generation& generation) const {
  const std::size_t blocks =
      std::max<std::size_t>(1, generation.answer.prompt_tokens / kBlockTokens);
  std::string ids;
  for (std::size_t i = 0; i < blocks; ++i) ids += (i == 0 ? "" : ",") + std::to_string(i + 1);
  return fmt::format(
      R"({{"do_remote_prefill":true,"do_remote_decode":false,"remote_block_ids":[{}],)"
      R"("remote_engine_id":{},"remote_host":"localhost","remote_port":5600,"tp_size":1}})",
      ids, json::quote(state_.engine.options().name));
}

// False when the client left; true with a sequence that does not run when the engine is full.
net::Task<bool> Connection::admit(Sequence& sequence, const Generation& generation) {
  const std::string& model = generation.ask.model;
  const Engine::Prompt prompt{.text = generation.ask.prompt,
                              .ids = generation.ask.ids.empty() ? nullptr : &generation.ask.ids,
                              .adapter = state_.engine.is_adapter(model) ? model : std::string(),
                              .cache_salt = generation.ask.cache_salt,
                              .transferred = generation.ask.fetches_blocks};
  const auto admission =
      state_.engine.submit(sequence, prompt, generation.answer.completion_tokens(),
                           state_.loop.now(), [this] { place_free(); });
  if (admission != Engine::Admission::kQueued) co_return true;
  if (co_await StartWait(*this, sequence)) co_return true;
  state_.metrics.aborted();
  state_.engine.end(sequence, state_.loop.now());
  co_return false;
}

// The engine calls this while another connection leaves: going on right here would nest one answer in another.
void Connection::place_free() {
  state_.loop.post([self = self_] {
    if (*self != nullptr && (*self)->start_wait_ != nullptr) (*self)->start_wait_->started();
  });
}

net::Task<bool> Connection::send_whole(const Wire& wire, const Generation& generation) {
  const std::size_t tokens = std::max<std::size_t>(1, generation.answer.completion_tokens());
  if (!co_await Pause(state_.loop, inbox_, Deadline::at(generation.due(tokens - 1))))
    co_return false;
  payload_.clear();
  wire.append_body(payload_);
  if (faults_.malformed == Malformed::kFrame) payload_.resize(payload_.size() / 2);
  out_.clear();
  chunked_ = faults_.malformed == Malformed::kChunk;
  append_head(200, "application/json", chunked_ ? std::nullopt : std::optional(payload_.size()));
  if (chunked_) {
    out_ += "zz\r\n";
    co_await flush(0);
    co_return false;
  }
  append_payload(payload_);
  co_return co_await flush(payload_.size());
}

net::Task<bool> Connection::send_stream(Wire& wire, const Generation& generation) {
  chunked_ = request_->head.version_minor > 0;
  if (!chunked_) keep_alive_ = false;
  out_.clear();
  append_head(200, "text/event-stream; charset=utf-8", std::nullopt);
  // A real server sends its head as soon as it has accepted the request.
  if (generation.first_token_at > state_.loop.now()) {
    if (!co_await flush(0)) co_return false;
    if (!co_await Pause(state_.loop, inbox_, Deadline::at(generation.first_token_at)))
      co_return false;
  }
  payload_.clear();
  wire.append_begin(payload_);
  if (!payload_.empty()) {
    append_payload(payload_);
    if (!co_await flush(payload_.size())) co_return false;
  }
  const std::size_t pieces = wire.pieces();
  for (std::size_t i = 0; i < pieces; ++i) {
    if (!co_await Pause(state_.loop, inbox_, Deadline::at(generation.due(i)))) co_return false;
    if (i % kTurnTokens == kTurnTokens - 1) co_await Turn{state_.loop};
    payload_.clear();
    wire.append_piece(payload_, i);
    if (i == 0 && faults_.malformed == Malformed::kFrame) payload_ += kBrokenEvent;
    append_payload(payload_);
    const bool bad_chunk = i == 0 && faults_.malformed == Malformed::kChunk;
    if (bad_chunk) out_ += "zz\r\n";
    const bool sent = co_await flush(payload_.size());
    if (!sent || bad_chunk) co_return false;
  }
  payload_.clear();
  wire.append_end(payload_);
  append_payload(payload_);
  if (chunked_) out_ += http::kLastChunk;
  co_return co_await flush(payload_.size());
}

void Connection::record(const Generation& generation, const Sequence& sequence) {
  const TimePoint now = state_.loop.now();
  state_.metrics.finished(
      {.prompt_tokens = generation.answer.prompt_tokens,
       .completion_tokens = generation.answer.completion_tokens(),
       .ttft = std::min(generation.first_token_at, now) - sequence.submitted_at(),
       .total = now - sequence.submitted_at(),
       .cut = generation.answer.cut});
}

}  // namespace signalbox::sim
