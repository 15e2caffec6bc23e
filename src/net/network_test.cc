#include "net/network.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::net {
namespace {

using namespace std::chrono_literals;

// A server that echoes, and a client, on one loop.
struct Echo {
  std::unique_ptr<Loop> loop = make_loop();
  std::unique_ptr<Network> network = make_network(*loop);
  TaskGroup group{*loop};
  std::unique_ptr<Acceptor> acceptor;

  Deadline soon() const { return Deadline::after(loop->now(), 10s); }

  static Task<void> serve(std::unique_ptr<Stream> stream, Deadline deadline) {
    std::string buffer(4096, '\0');
    for (;;) {
      auto got = co_await stream->read_some(buffer, deadline);
      if (!got || *got == 0) break;
      const std::string_view part(buffer.data(), *got);
      auto sent = co_await stream->write_all(std::span(&part, 1), deadline);
      if (!sent) break;
    }
    stream->close();
  }

  void start() {
    auto listening = listen(*loop, "127.0.0.1", 0, nullptr);
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    acceptor = *std::move(listening);
    acceptor->start(
        [this](std::unique_ptr<Stream> stream) { group.spawn(serve(std::move(stream), soon())); });
  }
  // Runs `client`, then everything else to its end.
  void run(Task<void> client) {
    group.spawn(std::move(client));
    TaskGroup end(*loop);
    end.spawn(finish(this));
    loop->run();
  }
  static Task<void> finish(Echo* echo) {
    co_await echo->group.join();
    echo->loop->stop();
  }
};

Task<void> send_and_receive(Echo* echo, std::size_t bytes, std::string* received) {
  auto dialled = co_await echo->network->dial({"127.0.0.1", echo->acceptor->port(), false},
                                              echo->soon(), nullptr);
  EXPECT_TRUE(dialled.has_value());
  if (!dialled) co_return;
  auto stream = *std::move(dialled);
  EXPECT_EQ(stream->peer_address(), "127.0.0.1");
  std::string buffer(1 << 16, '\0');
  std::size_t sent = 0;
  while (sent < bytes) {
    const std::string body(std::min<std::size_t>(bytes - sent, 50'000),
                           static_cast<char>('a' + sent % 26));
    const std::array<std::string_view, 2> parts = {
        std::string_view(body).substr(0, body.size() / 3),
        std::string_view(body).substr(body.size() / 3)};
    auto written = co_await stream->write_all(parts, echo->soon());
    EXPECT_TRUE(written.has_value());
    sent += body.size();
    std::size_t got_total = 0;
    while (got_total < body.size()) {
      auto got = co_await stream->read_some(buffer, echo->soon());
      if (!got || *got == 0) co_return;
      received->append(buffer, 0, *got);
      got_total += *got;
    }
  }
  stream->close();
}

TEST(Network, BytesCrossALoopbackConnectionUnchanged) {
  Echo echo;
  echo.start();
  std::string received;
  echo.run(send_and_receive(&echo, 400'000, &received));
  EXPECT_EQ(received.size(), 400'000U);
}

Task<void> dial_closed_port(Echo* echo, Code* code) {
  const std::uint16_t port = echo->acceptor->port();
  echo->acceptor->close();
  auto dialled = co_await echo->network->dial({"127.0.0.1", port, false}, echo->soon(), nullptr);
  *code = dialled ? Code::kInternal : dialled.error().code;
}

TEST(Network, RefusedConnectionIsAnUpstreamConnectError) {
  Echo echo;
  echo.start();
  Code code = Code::kInternal;
  echo.run(dial_closed_port(&echo, &code));
  EXPECT_EQ(code, Code::kUpstreamConnect);
}

Task<void> read_until_timeout(Echo* echo, Code* code) {
  auto dialled = co_await echo->network->dial({"127.0.0.1", echo->acceptor->port(), false},
                                              echo->soon(), nullptr);
  if (!dialled) co_return;
  char byte = 0;
  auto got =
      co_await (*dialled)->read_some(std::span(&byte, 1), Deadline::after(echo->loop->now(), 1ms));
  *code = got ? Code::kInternal : got.error().code;
  (*dialled)->close();
}

TEST(Stream, ReadPastItsDeadlineIsATimeoutNotACancellation) {
  Echo echo;
  echo.start();
  Code code = Code::kInternal;
  echo.run(read_until_timeout(&echo, &code));
  EXPECT_EQ(code, Code::kRequestTimeout);
}

Task<void> read_until_cancelled(Echo* echo, Code* code, Cancellation* cancel) {
  auto dialled = co_await echo->network->dial({"127.0.0.1", echo->acceptor->port(), false},
                                              echo->soon(), nullptr);
  if (!dialled) co_return;
  Stream* stream = dialled->get();
  Cancellation::Registration stop(*cancel, [stream] { stream->cancel(); });
  echo->loop->post([cancel] { cancel->cancel(); });
  char byte = 0;
  auto got = co_await stream->read_some(std::span(&byte, 1), echo->soon());
  *code = got ? Code::kInternal : got.error().code;
  stream->close();
}

TEST(Stream, CancelEndsAPendingRead) {
  Echo echo;
  echo.start();
  Code code = Code::kInternal;
  Cancellation cancel;
  echo.run(read_until_cancelled(&echo, &code, &cancel));
  EXPECT_EQ(code, Code::kCancelled);
}

Task<void> dial_by_name(Echo* echo, std::string* answer) {
  auto dialled = co_await echo->network->dial({"localhost", echo->acceptor->port(), false},
                                              echo->soon(), nullptr);
  *answer = dialled ? "connected" : dialled.error().message;
  if (dialled) (*dialled)->close();
}

TEST(Network, NamesAreResolved) {
  Echo echo;
  echo.start();
  std::string answer;
  echo.run(dial_by_name(&echo, &answer));
  EXPECT_EQ(answer, "connected");
}

Task<void> dial_cancelled(Echo* echo, Cancellation* cancel, Code* code) {
  echo->loop->post([cancel] { cancel->cancel(); });
  auto dialled = co_await echo->network->dial({"name.invalid", 1, false}, echo->soon(), cancel);
  *code = dialled ? Code::kInternal : dialled.error().code;
}

TEST(Network, DialIsCancelledWhileItsNameIsLookedUp) {
  Echo echo;
  echo.start();
  Cancellation cancel;
  Code code = Code::kInternal;
  echo.run(dial_cancelled(&echo, &cancel, &code));
  EXPECT_EQ(code, Code::kCancelled);
}

TEST(Network, AddressesWithIpv6LiteralsAreBracketed) {
  EXPECT_EQ(to_string(Address{"::1", 8000, false}), "[::1]:8000");
  EXPECT_EQ(to_string(Address{"engine", 8000, true}), "engine:8000");
}

}  // namespace
}  // namespace signalbox::net
