#include "http/chunked.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"

namespace signalbox::http {
namespace {

struct Decoded {
  std::string payload;
  std::size_t consumed = 0;
  bool done = false;
  bool failed = false;
};

Decoded decode(std::string_view bytes, std::size_t piece_bytes) {
  ChunkDecoder decoder(Code::kInvalidArgument);
  Decoded out;
  while (out.consumed < bytes.size() && !decoder.done()) {
    const auto step = decoder.next(bytes.substr(out.consumed, piece_bytes));
    if (!step) {
      out.failed = true;
      break;
    }
    out.payload += step->payload;
    out.consumed += step->consumed;
  }
  out.done = decoder.done();
  return out;
}

bool refused(std::string_view bytes) {
  return decode(bytes, bytes.size()).failed && decode(bytes, 1).failed;
}

TEST(ChunkDecoder, ReadsPayloadOverExtensionsAndTrailers) {
  const std::string text =
      "5;a=\"b\"\r\nhello\r\n00A \r\n, world...\r\n0;x\r\nTrailer: v\r\nB:\r\n\r\nnext";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const auto out = decode(text, piece);
    EXPECT_EQ(out.payload, "hello, world...");
    EXPECT_TRUE(out.done);
    EXPECT_EQ(text.substr(out.consumed), "next");
  }
}

TEST(ChunkDecoder, RefusesFramingThatOtherParsersReadDifferently) {
  EXPECT_TRUE(refused("\r\nhello"));
  EXPECT_TRUE(refused("5\nhello\r\n0\r\n\r\n"));
  EXPECT_TRUE(refused("5\r\nhello\n0\r\n\r\n"));
  EXPECT_TRUE(refused("5\r\nhelloX\r\n"));
  EXPECT_TRUE(refused("-5\r\nhello\r\n"));
  EXPECT_TRUE(refused("+5\r\nhello\r\n"));
  EXPECT_TRUE(refused("0x5\r\nhello\r\n"));
  EXPECT_TRUE(refused("5,\r\nhello\r\n"));
  EXPECT_TRUE(refused("5;a\nb\r\nhello\r\n"));
  EXPECT_TRUE(refused("5\r\rhello"));
  EXPECT_TRUE(refused("0\r\nA: b\n\r\n"));
  EXPECT_TRUE(refused("0\r\n\rX"));
}

TEST(ChunkDecoder, RefusesHostileSizes) {
  EXPECT_TRUE(refused("ffffffffffffffff\r\n"));
  EXPECT_TRUE(refused("10000000000000005\r\nhello\r\n"));
  EXPECT_TRUE(refused("fffffffffffffffffffff\r\n"));
  EXPECT_FALSE(refused("7ffffffffffffff\r\n"));
  EXPECT_TRUE(refused(std::string(limits::kChunkLineBytesMax + 1, '0')));
  EXPECT_TRUE(refused("5;" + std::string(limits::kChunkLineBytesMax, 'a')));
  EXPECT_TRUE(refused("0\r\nA: " + std::string(limits::kTrailerBytesMax, 'a')));
  std::string trailers = "0\r\n";
  while (trailers.size() < 2 * limits::kTrailerBytesMax) trailers += "A: b\r\n";
  EXPECT_TRUE(refused(trailers));
}

TEST(ChunkDecoder, GivesViewsIntoTheBytesGiven) {
  const std::string text = "5\r\nhello\r\n";
  ChunkDecoder decoder(Code::kInvalidArgument);
  const auto step = decoder.next(text);
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->payload.data(), text.data() + 3);
}

std::string encode(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) {
    if (part.empty()) continue;
    out.append(ChunkOpening(part.size()).text()).append(part).append(kChunkEnd);
  }
  return out.append(kLastChunk);
}

RC_GTEST_PROP(ChunkDecoder, ReadsBackWhatWasFramedAtAnySplit, (std::vector<std::string> parts)) {
  std::string joined;
  for (const auto& part : parts) joined += part;
  const auto text = encode(parts) + "GET";
  const auto out = decode(text, *rc::gen::inRange<std::size_t>(1, text.size() + 1));
  RC_ASSERT(out.done);
  RC_ASSERT(out.payload == joined);
  RC_ASSERT(text.substr(out.consumed) == "GET");
}

RC_GTEST_PROP(ChunkDecoder, CompactsEachPieceToOneRun, (std::vector<std::string> parts)) {
  std::string joined;
  for (const auto& part : parts) joined += part;
  const auto text = encode(parts) + "GET";
  const auto piece_bytes = *rc::gen::inRange<std::size_t>(1, text.size() + 1);
  ChunkDecoder decoder(Code::kInvalidArgument);
  std::string payload;
  std::size_t at = 0;
  while (!decoder.done()) {
    auto piece = text.substr(at, piece_bytes);
    const auto out = decoder.compact(piece);
    RC_ASSERT(out.has_value());
    RC_ASSERT(out->consumed == piece.size() || decoder.done());
    payload += out->payload;
    at += out->consumed;
  }
  RC_ASSERT(payload == joined);
  RC_ASSERT(text.substr(at) == "GET");
}

RC_GTEST_PROP(ChunkScanner, FindsTheEndOfARawBody, (std::vector<std::string> parts)) {
  const auto text = encode(parts);
  const auto bytes = text + "rest";
  const auto split = *rc::gen::inRange<std::size_t>(0, bytes.size());
  ChunkScanner scanner(Code::kUpstreamProtocol);
  auto taken = scanner.scan(std::string_view(bytes).substr(0, split));
  RC_ASSERT(taken.has_value());
  if (!scanner.done()) {
    RC_ASSERT(*taken == split);
    const auto more = scanner.scan(std::string_view(bytes).substr(split));
    RC_ASSERT(more.has_value());
    *taken += *more;
  }
  RC_ASSERT(scanner.done());
  RC_ASSERT(*taken == text.size());
}

RC_GTEST_PROP(ChunkDecoder, JudgesHostileBytesTheSameAtAnySplit, ()) {
  const auto text = *rc::gen::container<std::string>(
      rc::gen::element('0', '1', '5', 'f', '\r', '\n', ';', ' ', 'x', ':', '\0'));
  const auto whole = decode(text, text.size() + 1);
  const auto bytewise = decode(text, 1);
  RC_ASSERT(whole.failed == bytewise.failed);
  RC_ASSERT(whole.done == bytewise.done);
  if (!whole.failed) RC_ASSERT(whole.payload == bytewise.payload);
}

}  // namespace
}  // namespace signalbox::http
