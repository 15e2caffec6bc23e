// Stream over a socket, plain or TLS. Reads go straight to Asio (it tries recv first); plain writes are tried with one
// sendmsg before anything waits, so the common write never leaves the coroutine (see docs/decisions/0001).
#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>

#include "net/asio_loop.h"
#include "net/stream.h"

namespace signalbox::net {

using boost::asio::ip::tcp;
using TlsSocket = boost::asio::ssl::stream<tcp::socket>;

// Buffers of one write, minus the bytes already written.
class PendingParts {
 public:
  PendingParts(WriteParts parts, std::size_t done);
  const boost::asio::const_buffer* begin() const { return buffers_.data(); }
  const boost::asio::const_buffer* end() const { return buffers_.data() + count_; }

 private:
  std::array<boost::asio::const_buffer, kWritePartsMax> buffers_;
  std::size_t count_ = 0;
};

std::unique_ptr<Stream> make_tcp_stream(AsioLoop& loop, tcp::socket socket);
std::unique_ptr<Stream> make_tls_stream(AsioLoop& loop, std::unique_ptr<TlsSocket> socket,
                                        std::shared_ptr<boost::asio::ssl::context> context);

}  // namespace signalbox::net
