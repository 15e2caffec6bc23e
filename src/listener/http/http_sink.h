// ClientSink over one HTTP/1.x connection. Chooses the framing the client can take: known length, chunked, or (HTTP/1.0)
// close at the end. Head and first piece of the body leave in one system call; every later piece is one call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/client_sink.h"
#include "http/message_writer.h"
#include "net/stream.h"

namespace signalbox::listener {

class HttpSink final : public http::ClientSink {
 public:
  struct Client {
    int version_minor = 1;
    bool keep_alive = true;
    bool head_request = false;
  };
  // `stream`, `loop` and `dates` outlive the sink. `write_timeout` bounds one write to a client that does not read.
  HttpSink(net::Stream& stream, net::Loop& loop, http::DateCache& dates, Client client,
           Duration write_timeout)
      : stream_(stream),
        loop_(loop),
        dates_(dates),
        client_(client),
        write_timeout_(write_timeout) {}

  net::Task<Result<void>> start(http::ResponseStart head, std::string_view first) override;
  net::Task<Result<void>> write(std::string_view piece) override;
  net::Task<Result<void>> finish() override;
  bool started() const override { return started_; }

  // After the handler: the answer is complete and the connection may carry another request.
  bool reusable() const { return finished_ && keep_alive_ && !failed_; }
  int status() const { return status_; }
  // An answer must not leave the connection open after this (drain, unread request body).
  void close_after() { client_.keep_alive = false; }

 private:
  net::Task<Result<void>> send(net::WriteParts parts);
  net::Task<Result<void>> send_piece(std::string_view head, std::string_view piece);

  net::Stream& stream_;
  net::Loop& loop_;
  http::DateCache& dates_;
  Client client_;
  Duration write_timeout_;
  std::string head_;  // not sent yet
  http::Framing framing_ = http::Framing::kNone;
  std::uint64_t left_bytes_ = 0;  // of a body of known length
  int status_ = 0;
  bool started_ = false;
  bool finished_ = false;
  bool failed_ = false;
  bool keep_alive_ = true;
  bool bodiless_ = false;  // HEAD, 204, 304: the body is announced at most
};

}  // namespace signalbox::listener
