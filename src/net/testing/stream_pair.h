// Two connected streams on one loop, over TCP or TLS, for tests of what a Stream promises. What a test takes
// for granted is asserted.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "base/assert.h"
#include "net/network.h"

namespace signalbox::net_testing {

// Two connected streams, the far one accepted.
struct Pair {
  std::unique_ptr<net::Loop> loop = net::make_loop();
  std::unique_ptr<net::Network> network = net::make_network(*loop);
  std::unique_ptr<net::Acceptor> acceptor;
  std::unique_ptr<net::Stream> near;
  std::unique_ptr<net::Stream> far;
  net::OneShot<bool> connected{*loop};

  Deadline soon() const { return Deadline::after(loop->now(), std::chrono::seconds(20)); }

  void open(const net::TlsServerFiles* tls) {
    auto listening = net::listen(*loop, "127.0.0.1", 0, tls);
    SBX_ASSERT(listening.has_value());
    acceptor = *std::move(listening);
    acceptor->start([this](std::unique_ptr<net::Stream> stream) {
      far = std::move(stream);
      connected.set(true);
    });
  }
  // Connects, runs `work(this)`, and ends the loop.
  void run(const net::TlsServerFiles* tls, std::string host, net::Task<void> (*work)(Pair*)) {
    open(tls);
    net::TaskGroup group(*loop);
    group.spawn(connect_and_work(
        this, net::Address(std::move(host), acceptor->port(), tls != nullptr), work));
    loop->run();
    acceptor->close();
  }
  static net::Task<void> connect_and_work(Pair* pair, net::Address address,
                                          net::Task<void> (*work)(Pair*)) {
    auto dialled = co_await pair->network->dial(std::move(address), pair->soon(), nullptr);
    SBX_ASSERT(dialled.has_value());
    pair->near = *std::move(dialled);
    static_cast<void>(co_await pair->connected.wait(pair->soon()));
    co_await work(pair);
    pair->near.reset();
    pair->far.reset();
    pair->loop->stop();
  }
};

inline net::Task<void> write_pattern(Pair* pair, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 131 % 251);
  const std::string_view all = text;
  const std::array<std::string_view, 3> parts = {all.substr(0, 10), {}, all.substr(10)};
  auto written = co_await pair->near->write_all(parts, pair->soon());
  SBX_ASSERT(written.has_value() && *written == bytes);
}

inline net::Task<void> write_pattern_and_close(Pair* pair, std::size_t bytes) {
  co_await write_pattern(pair, bytes);
  pair->near->close();
}

// What arrives at the far end up to the end of the stream, read in pieces of so many bytes.
inline net::Task<std::string> read_to_end(Pair* pair, std::size_t piece_bytes) {
  std::string all;
  std::string piece(piece_bytes, '\0');
  for (;;) {
    auto got = co_await pair->far->read_some(piece, pair->soon());
    SBX_ASSERT(got.has_value());
    if (*got == 0) break;
    all.append(piece, 0, *got);
  }
  co_return all;
}

struct CountedSpace final : net::ReadSpace {
  std::array<char, 16> bytes{};
  bool taken = true;  // as after an earlier read
  std::span<char> room() override {
    taken = true;
    return bytes;
  }
  void release() override { taken = false; }
};

inline net::Task<void> read_once(Pair* pair, net::ReadSpace* space, std::size_t bytes) {
  const auto got = co_await pair->near->read_some(*space, pair->soon());
  SBX_ASSERT(got.has_value() && *got == bytes);
}

// A thousand connections that wait must not hold a thousand buffers: space is asked for when bytes have come.
inline net::Task<void> wait_without_space(Pair* pair) {
  CountedSpace space;
  net::TaskGroup readers(*pair->loop);
  const std::string_view text = "text";
  readers.spawn(read_once(pair, &space, text.size()));
  co_await pair->loop->sleep(std::chrono::milliseconds(1));  // a turn of the loop
  SBX_ASSERT(!space.taken);
  static_cast<void>(co_await pair->far->write_all(std::span(&text, 1), pair->soon()));
  co_await readers.join();
  SBX_ASSERT(space.taken);
}

}  // namespace signalbox::net_testing
