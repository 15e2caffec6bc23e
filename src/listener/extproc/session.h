// One HTTP exchange of Envoy from its first message to its last: reads the request whole in whatever pieces it comes,
// hands it to the pipeline, and turns what the pipeline says into answers to messages. docs/extproc.md has the table of
// body modes. Everything runs on the session's loop; the link brings messages there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "listener/extproc/carrier.h"
#include "listener/extproc/conversation.h"
#include "listener/extproc/link.h"
#include "listener/extproc/message.h"
#include "listener/http/connection.h"
#include "net/loop.h"

namespace signalbox::listener {

// How a stream ended.
enum class SessionEnd : std::uint8_t {
  kCarried,   // Envoy carried the request
  kAnswered,  // by an answer of ours
  kPassed,    // none of our business, or nothing to read
  kBroken,    // Envoy went away before a word of ours, or broke the protocol
};
// Label of the metric.
std::string_view session_end_name(SessionEnd end);

class Session final : public Carrier {
 public:
  // Everything outlives the session.
  Session(ProxyLink& link, net::Loop& loop, ProxyHandler& handler, Random& random)
      : link_(link), loop_(loop), handler_(handler), random_(random), talk_(link, loop) {}

  // Until the exchange is over; calls link.finish(). `settings` stays valid until then.
  net::Task<SessionEnd> serve(const ConnectionSettings* settings);
  // Where the link delivers to.
  Conversation& conversation() { return talk_; }

  net::Task<Result<std::optional<http::ResponseHead>>> send(Carried request) override;
  void start(http::Headers headers, Watch watch) override;
  net::Task<Result<Piece>> read() override;
  void pass(std::string_view bytes) override;

 private:
  class Sink;
  // What Envoy waits for before the request can go on.
  enum class Held : std::uint8_t {
    kNothing,
    kHeaders,  // an answer to the headers; pieces of the body may have come all the same
    kBody,     // an answer to the message with the body, or with the end of it
  };
  // What read() gave last.
  enum class Pending : std::uint8_t { kNothing, kBody, kTrailers };

  exchange::ClientRequest read_client(const ProxyMessage& first);
  net::Task<SessionEnd> serve_request(ProxyMessage first);
  net::Task<SessionEnd> handle(exchange::Exchange* exchange);
  net::Task<SessionEnd> pass_by(ProxyMessage message, HeaderEdits edits);
  void let_go(ProxyMessage message, HeaderEdits edits);
  // The whole body; nothing if Envoy does not send one: `unread_` came instead.
  net::Task<Result<std::optional<std::string>>> read_body(const ProxyMessage* first);
  // True when more of it has to come.
  Result<bool> take_body(ProxyMessage message, std::string* body);
  void answer_headers_early();
  void release_held_pieces();
  void reject(const Error& error, bool messages_api);
  void send_held(Carried request, HeaderEdits edits);
  void send_pieces(HttpPart part, std::string_view body, bool end_of_stream);
  void answer_part(HttpPart part);
  void clear_pieces(std::size_t count);
  bool in_pieces() const;

  ProxyLink& link_;
  net::Loop& loop_;
  ProxyHandler& handler_;
  Random& random_;
  Conversation talk_;
  const ConnectionSettings* settings_ = nullptr;

  BodyModes modes_;
  http::Headers request_headers_;  // as Envoy sent them
  HeaderEdits stripped_;           // what no client may say
  Held held_ = Held::kHeaders;
  std::size_t pieces_unanswered_ = 0;  // of the body, while the headers are held
  bool pieces_cleared_ = false;        // pieces went on empty: all of the body is still to be sent
  bool request_trailers_ = false;
  bool routed_early_ = false;  // the route was chosen before the body was read
  std::optional<ProxyMessage> unread_;
  bool carried_ = false;
  bool answered_ = false;

  http::Headers response_headers_;
  bool response_over_ = false;
  bool response_seen_ = false;  // a piece of its body
  Pending pending_ = Pending::kNothing;
  bool last_ = false;
  std::string piece_;
};

}  // namespace signalbox::listener
