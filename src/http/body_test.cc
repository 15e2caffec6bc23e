#include "http/body.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "net/testing/fake_stream.h"
#include "net/testing/manual_loop.h"

namespace signalbox::http {
namespace {

using net_testing::FakePeer;
using net_testing::ManualLoop;
using std::chrono::seconds;

struct Fixture {
  Fixture() {
    auto made = net_testing::make_fake_stream(loop);
    stream = std::move(made.first);
    peer.emplace(made.second);
  }
  // Bytes that came with the head.
  void receive(std::string_view bytes) {
    const auto room = buffer.room();
    std::copy(bytes.begin(), bytes.end(), room.begin());
    buffer.commit(bytes.size());
  }
  Result<std::string> read_all(BodyFraming framing, std::size_t bytes_max = 1 << 20,
                               Side side = Side::kClient) {
    BodyReader body(*stream, buffer, framing, side);
    return loop.run_task(body.read_all(
        &loop.clock(), {.bytes_max = bytes_max, .idle = seconds(10), .total = Deadline::none()}));
  }
  ManualLoop loop;
  std::unique_ptr<net_testing::FakeStream> stream;
  std::optional<FakePeer> peer;
  ReadBuffer buffer;
};

constexpr BodyFraming kChunkedBody{Framing::kChunked, 0};
constexpr BodyFraming kUntilCloseBody{Framing::kUntilClose, 0};

BodyFraming length(std::uint64_t bytes) { return {Framing::kLength, bytes}; }

TEST(BodyReader, GivesPiecesAsTheyArriveAndThenTheEnd) {
  Fixture f;
  f.receive("ab");
  f.peer->send("cd");
  f.peer->send("e");
  BodyReader body(*f.stream, f.buffer, length(5), Side::kUpstream);
  const auto read = [&] { return f.loop.run_task(body.read(Deadline::none())); };
  EXPECT_EQ(*read(), "ab");
  EXPECT_EQ(*read(), "cd");
  EXPECT_FALSE(body.done());
  EXPECT_EQ(*read(), "e");
  EXPECT_TRUE(body.done());
  EXPECT_EQ(*read(), "");
  EXPECT_EQ(body.payload_bytes(), 5U);
}

TEST(BodyReader, LeavesThePipelinedNextRequestInTheBuffer) {
  Fixture f;
  f.receive("5\r\nhel");
  f.peer->send("lo\r\n0\r\n\r\nGET /");
  EXPECT_EQ(*f.read_all(kChunkedBody), "hello");
  EXPECT_EQ(f.buffer.data(), "GET /");

  Fixture g;
  g.receive("helloGET /");
  EXPECT_EQ(*g.read_all(length(5)), "hello");
  EXPECT_EQ(g.buffer.data(), "GET /");
}

TEST(BodyReader, GivesTheChunksOfOneReadAsOnePiece) {
  Fixture f;
  f.receive("1\r\na\r\n1\r\nb\r\n1\r\nc");
  BodyReader body(*f.stream, f.buffer, kChunkedBody, Side::kUpstream);
  EXPECT_EQ(*body.take(), "abc");
  EXPECT_EQ(*body.take(), "");
}

TEST(BodyReader, ReadsUntilTheCloseWhereThatIsTheFraming) {
  Fixture f;
  f.peer->send("abc");
  f.peer->send("def");
  f.peer->finish();
  EXPECT_EQ(*f.read_all(kUntilCloseBody), "abcdef");
}

TEST(BodyReader, ReportsABodyThatEndsTooEarly) {
  for (const auto framing : {length(5), kChunkedBody}) {
    Fixture f;
    f.peer->send("5\r\n");
    f.peer->finish();
    EXPECT_EQ(f.read_all(framing, 100, Side::kUpstream).error().code, Code::kUpstreamReset);
    Fixture g;
    g.peer->send("5\r\n");
    g.peer->reset();
    EXPECT_EQ(g.read_all(framing, 100, Side::kClient).error().code, Code::kCancelled);
  }
}

TEST(BodyReader, ReportsAPeerThatIsTooSlow) {
  Fixture f;
  f.peer->send("a");
  f.peer->send("b", seconds(9));
  f.peer->send("c", seconds(11));
  EXPECT_EQ(f.read_all(length(3)).error().code, Code::kRequestTimeout);
  Fixture g;
  EXPECT_EQ(g.read_all(kUntilCloseBody, 100, Side::kUpstream).error().code, Code::kUpstreamTimeout);
}

TEST(BodyReader, RefusesBodiesOverTheLimitAsSoonAsTheyAreKnownToBe) {
  Fixture announced;  // nothing has arrived
  EXPECT_EQ(announced.read_all(length(101), 100).error().code, Code::kPayloadTooLarge);
  Fixture chunked;
  chunked.peer->send("65\r\n" + std::string(101, 'x'));
  EXPECT_EQ(chunked.read_all(kChunkedBody, 100).error().code, Code::kPayloadTooLarge);
  Fixture exact;
  exact.peer->send(std::string(100, 'x'));
  EXPECT_EQ(exact.read_all(length(100), 100)->size(), 100U);
  Fixture upstream;
  EXPECT_EQ(upstream.read_all(length(101), 100, Side::kUpstream).error().code,
            Code::kUpstreamProtocol);
}

TEST(BodyReader, DoesNotTakeMemoryOnTheWordOfAContentLength) {
  Fixture f;
  f.peer->send("x");
  f.peer->finish();
  const std::uint64_t huge = std::uint64_t{1} << 60;
  EXPECT_EQ(f.read_all(length(huge), huge).error().code, Code::kCancelled);
}

TEST(BodyReader, RefusesMalformedChunks) {
  Fixture f;
  f.peer->send("x\r\n");
  EXPECT_EQ(f.read_all(kChunkedBody).error().code, Code::kInvalidArgument);
  Fixture g;
  g.peer->send("x\r\n");
  EXPECT_EQ(g.read_all(kChunkedBody, 100, Side::kUpstream).error().code, Code::kUpstreamProtocol);
}

RC_GTEST_PROP(BodyReader, ReadsTheSameBodyHoweverItArrives, ()) {
  const auto payload = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const bool chunked = *rc::gen::arbitrary<bool>();
  std::string wire = payload;
  if (chunked) {
    wire.clear();
    for (const char c : payload) wire.append(ChunkOpening(1).text()).append(1, c).append(kChunkEnd);
    wire += kLastChunk;
  }
  const std::size_t with_head = *rc::gen::inRange<std::size_t>(0, wire.size() + 1);
  Fixture f;
  f.receive(std::string_view(wire).substr(0, with_head));
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  for (std::size_t at = with_head; at < wire.size();) {
    const std::size_t count = 1 + random.below(40);
    f.peer->send(wire.substr(at, count));
    at += count;
  }
  const auto body = f.read_all(chunked ? kChunkedBody : length(payload.size()));
  RC_ASSERT(body.has_value());
  RC_ASSERT(*body == payload);
  RC_ASSERT(f.buffer.empty());
}

TEST(ReadBuffer, KeepsWhatIsUnreadWhenItGrowsAndGivesItsStorageBack) {
  ReadBuffer buffer;
  std::string expected;
  for (int i = 0; expected.size() <= limits::kHeadBytesMax; ++i) {
    const auto room = buffer.room();
    ASSERT_FALSE(room.empty());
    const std::size_t count = std::min<std::size_t>(room.size(), 1000);
    std::fill_n(room.begin(), count, static_cast<char>('a' + i % 26));
    expected.append(count, static_cast<char>('a' + i % 26));
    buffer.commit(count);
  }
  EXPECT_EQ(buffer.data(), expected);
  buffer.consume(expected.size() - 1);
  buffer.release();
  EXPECT_EQ(buffer.size(), 1U);
  buffer.consume(1);
  buffer.release();
  // What has been large once starts large.
  EXPECT_EQ(buffer.room().size(), limits::kRelayBufferBytes);
}

// A read that fills a small buffer is followed by larger ones, whether or not what it brought has been used.
TEST(ReadBuffer, GrowsOnceItHasBeenFilled) {
  for (const std::size_t used : {limits::kFirstReadBufferBytes, std::size_t{100}, std::size_t{0}}) {
    ReadBuffer buffer;
    const auto small = buffer.room();
    ASSERT_EQ(small.size(), limits::kFirstReadBufferBytes);
    std::ranges::fill(small, 'x');
    small.back() = 'y';
    buffer.commit(small.size());
    buffer.consume(used);
    EXPECT_EQ(buffer.room().size() + buffer.size(), limits::kRelayBufferBytes);
    EXPECT_EQ(buffer.size(), limits::kFirstReadBufferBytes - used);
    EXPECT_TRUE(buffer.empty() || buffer.data().back() == 'y');
  }
}

}  // namespace
}  // namespace signalbox::http
