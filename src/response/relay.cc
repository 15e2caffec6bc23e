#include "response/relay.h"

#include <string_view>

#include "api/error_body.h"
#include "http/message_head.h"

namespace signalbox::response {
namespace {

using http::BodyFraming;
using http::Framing;

class Relay {
 public:
  Relay(http::Lease& lease, http::ClientSink& sink, Observer& observer, const Clock& clock,
        RelayOptions& options)
      : lease_(lease), sink_(sink), observer_(observer), clock_(clock), options_(options) {}

  net::Task<Result<void>> run(http::ResponseHead head) {
    observer_.start(head);
    auto done = co_await start(std::move(head));
    if (done) done = co_await pump();
    if (!done) {
      lease_.close();
      co_return done;
    }
    co_return co_await finish();
  }

 private:
  // Head and first piece in one write. An event stream's head goes out at once: its first token may be far away.
  net::Task<Result<void>> start(http::ResponseHead head) {
    std::string_view first;
    if (observer_.event_stream()) {
      SBX_CO_TRY(first, lease_.body().take());
    } else {
      auto piece = co_await read();
      if (!piece) co_return std::unexpected(upstream_error(std::move(piece).error()));
      first = *piece;
    }
    http::remove_hop_by_hop(head.headers);
    options_.edit_head(head.headers);
    const auto passed = observer_.observe(first, clock_.now());
    // A variable of its own: g++ 12 destroys a braced temporary of a co_await expression twice.
    http::ResponseStart start{.status = head.status,
                              .headers = std::move(head.headers),
                              .body = framing(head.body, passed.size())};
    co_return co_await sink_.start(std::move(start), passed);
  }

  BodyFraming framing(BodyFraming upstream, std::size_t first_bytes) const {
    if (observer_.may_change_length()) return {Framing::kChunked, 0};
    // All of it is there: a length is cheaper than chunks, for us and for the client.
    if (lease_.body().done() && upstream.kind != Framing::kNone)
      return {Framing::kLength, first_bytes};
    if (upstream.kind == Framing::kUntilClose) return {Framing::kChunked, 0};
    return upstream;
  }

  net::Task<Result<void>> pump() {
    while (!lease_.body().done()) {
      const auto piece = co_await read();
      if (!piece) co_return co_await broken(piece.error(), observer_.inside_passed_frame());
      if (piece->empty()) break;
      const auto passed = observer_.observe(*piece, clock_.now());
      if (!passed.empty()) SBX_CO_CHECK_OK(co_await sink_.write(passed));
    }
    co_return Result<void>{};
  }

  net::Task<Result<void>> finish() {
    const bool by_close = lease_.body().framing().kind == Framing::kUntilClose;
    const bool cut_frame = observer_.inside_passed_frame();
    const auto rest = observer_.finish();
    // A close is the only end such a body has; without the engine's end mark it is a broken one.
    if (by_close && !observer_.end_seen()) {
      co_return co_await broken(http::truncated(http::Side::kUpstream), cut_frame);
    }
    lease_.release();
    if (!rest.empty()) SBX_CO_CHECK_OK(co_await sink_.write(rest));
    co_return co_await sink_.finish();
  }

  net::Task<Result<std::string_view>> read() {
    const auto idle = Deadline::after(clock_.now(), options_.idle_timeout);
    return lease_.body().read(idle.sooner(options_.total));
  }

  Error upstream_error(Error error) const {
    if (lease_.cancelled()) return {Code::kCancelled, "client went away", {}};
    return error;
  }

  // The body broke off after the head had gone out, perhaps inside a frame of which a part was passed on.
  net::Task<Result<void>> broken(Error error, bool cut_frame) {
    error = upstream_error(std::move(error));
    if (error.code == Code::kCancelled || !observer_.event_stream())
      co_return std::unexpected(std::move(error));
    std::string event = cut_frame ? "\n\n" : "";
    event += options_.endpoint == exchange::Endpoint::kMessages
                 ? api::anthropic_error_event(error, options_.request_id)
                 : api::openai_error_event(error);
    // Whether the client still takes it changes nothing about what is reported.
    const auto told = co_await sink_.write(event);
    if (told) static_cast<void>(co_await sink_.finish());
    co_return std::unexpected(std::move(error));
  }

  http::Lease& lease_;
  http::ClientSink& sink_;
  Observer& observer_;
  const Clock& clock_;
  RelayOptions& options_;
};

}  // namespace

net::Task<Result<void>> relay(http::Lease* lease, http::ResponseHead head, http::ClientSink* sink,
                              Observer* observer, const Clock* clock, RelayOptions options) {
  Relay relay(*lease, *sink, *observer, *clock, options);
  co_return co_await relay.run(std::move(head));
}

}  // namespace signalbox::response
