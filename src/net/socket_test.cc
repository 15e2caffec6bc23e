#include "net/socket.h"

#include <gtest/gtest.h>

#include <string>

#include "net/testing/stream_pair.h"

namespace signalbox::net {
namespace {

using namespace std::chrono_literals;
using net_testing::Pair;
using net_testing::read_to_end;
using net_testing::write_pattern_and_close;

// More than the kernel's buffers of both ends hold, so that the writer has to wait.
constexpr std::size_t kManyBytes = 24 << 20;

Task<void> write_much_to_a_slow_reader(Pair* pair) {
  TaskGroup writers(*pair->loop);
  writers.spawn(write_pattern_and_close(pair, kManyBytes));
  co_await pair->loop->sleep(25ms);
  EXPECT_EQ(writers.size(), 1U) << "the kernel took it all: nothing was tested";
  const std::string all = co_await read_to_end(pair, 100'000);
  co_await writers.join();
  EXPECT_EQ(all.size(), kManyBytes);
  bool same = true;
  for (std::size_t i = 0; i < all.size(); ++i) same &= all[i] == static_cast<char>(i * 131 % 251);
  EXPECT_TRUE(same);
}

TEST(Stream, WriterWaitsForASlowReaderAndNothingIsLost) {
  Pair pair;
  pair.run(nullptr, "127.0.0.1", write_much_to_a_slow_reader);
}

Task<void> end_with_the_last_bytes(Pair* pair) {
  // Both are there before the reader is told of either, and the first read is a short one.
  const std::string_view text = "last words";
  static_cast<void>(co_await pair->near->write_all(std::span(&text, 1), pair->soon()));
  pair->near->close();
  const std::string all = co_await read_to_end(pair, 4096);
  EXPECT_EQ(all, text);
}

TEST(Stream, EndThatCameWithTheLastBytesIsSeen) {
  Pair pair;
  pair.run(nullptr, "127.0.0.1", end_with_the_last_bytes);
}

Task<void> close_while_idle(Pair* pair) {
  EXPECT_FALSE(pair->near->stale());
  pair->far->close();
  co_await pair->loop->sleep(1ms);  // a turn of the loop
  EXPECT_TRUE(pair->near->stale());
}

TEST(Stream, IdleConnectionThatThePeerClosedIsStale) {
  Pair pair;
  pair.run(nullptr, "127.0.0.1", close_while_idle);
}

Task<void> answer_and_stay(Pair* pair) {
  const std::string_view text = "answer";
  static_cast<void>(co_await pair->far->write_all(std::span(&text, 1), pair->soon()));
  std::string exact(text.size(), '\0');  // a read that brings all it asked for
  const auto got = co_await pair->near->read_some(exact, pair->soon());
  EXPECT_EQ(got.value_or(0), text.size());
  EXPECT_FALSE(pair->near->stale());
  static_cast<void>(co_await pair->far->write_all(std::span(&text, 1), pair->soon()));
  co_await pair->loop->sleep(1ms);
  EXPECT_TRUE(pair->near->stale()) << "bytes that nobody asked for";
}

TEST(Stream, ConnectionIsStaleByUnaskedBytesButNotByAnExactRead) {
  Pair pair;
  pair.run(nullptr, "127.0.0.1", answer_and_stay);
}

TEST(Stream, AReadThatWaitsHoldsNoSpace) {
  Pair pair;
  pair.run(nullptr, "127.0.0.1", net_testing::wait_without_space);
}

// A batch of events may name a stream that an earlier event of the same batch destroyed; the sanitizer would see it.
Task<void> destroy_each_other(Pair* pair) {
  const std::unique_ptr<Stream> first_far = std::move(pair->far);
  auto second = co_await pair->network->dial({"127.0.0.1", pair->acceptor->port(), false},
                                             pair->soon(), nullptr);
  EXPECT_TRUE(second.has_value());
  if (!second) co_return;
  while (!pair->far) {  // accepted a turn later
    co_await pair->loop->sleep(1ms);
  }
  const std::string_view text = "x";
  static_cast<void>(co_await first_far->write_all(std::span(&text, 1), pair->soon()));
  static_cast<void>(co_await pair->far->write_all(std::span(&text, 1), pair->soon()));
  char byte = 0;
  const auto got = co_await pair->near->read_some(std::span(&byte, 1), pair->soon());
  EXPECT_EQ(got.value_or(0), 1U);
  second->reset();  // its own event comes next
}

TEST(Stream, MayBeDestroyedByAnEventOfTheBatchThatNamesIt) {
  Pair pair;
  pair.run(nullptr, "127.0.0.1", destroy_each_other);
}

}  // namespace
}  // namespace signalbox::net
