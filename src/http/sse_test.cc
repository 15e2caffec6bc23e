#include "http/sse.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"

namespace signalbox::http {
namespace {

struct Frame {
  std::string event;
  std::string data;
  std::string id;
  std::optional<std::uint64_t> retry_ms;
  bool has_data = false;
  bool overlong = false;
  std::size_t end = 0;  // offset in the whole stream
  friend bool operator==(const Frame&, const Frame&) = default;
};

// Frames of the stream when it arrives in pieces that end at the given offsets.
std::vector<Frame> read(std::string_view stream, const std::vector<std::size_t>& cuts,
                        bool finish = false) {
  SseReader reader;
  std::vector<Frame> frames;
  const auto keep = [&](const SseFrame& frame, std::size_t begin) {
    frames.push_back({std::string(frame.event), std::string(frame.data), std::string(frame.id),
                      frame.retry_ms, frame.has_data, frame.overlong, begin + frame.end});
  };
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const auto end = i < cuts.size() ? cuts[i] : stream.size();
    // A copy of its own, so that a view kept too long is a use after free.
    const std::string piece(stream.substr(begin, end - begin));
    reader.feed(piece);
    while (const auto frame = reader.next()) keep(*frame, begin);
    begin = end;
    reader.feed({});
  }
  if (finish) {
    if (const auto frame = reader.finish()) keep(*frame, stream.size());
  }
  return frames;
}

std::vector<Frame> read(std::string_view stream) { return read(stream, {}); }

TEST(SseReader, ReadsEventDataIdAndRetry) {
  const auto frames = read("event: delta\ndata: {\"a\":1}\nid: 7\nretry: 250\n\ndata:x\n\n");
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].event, "delta");
  EXPECT_EQ(frames[0].data, "{\"a\":1}");
  EXPECT_EQ(frames[0].id, "7");
  EXPECT_EQ(frames[0].retry_ms, 250U);
  EXPECT_EQ(frames[1].event, "");
  EXPECT_EQ(frames[1].data, "x");
}

TEST(SseReader, JoinsDataLinesAndKeepsAllButOneLeadingSpace) {
  const auto frames = read("data:  two\ndata\ndata: end \n\n");
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data, " two\n\nend ");
}

TEST(SseReader, EndsLinesAtLfCrlfOrCr) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const auto frames = read("data: a" + end + "data: b" + end + end + "data: c" + end + end);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0].data, "a\nb");
    EXPECT_EQ(frames[1].data, "c");
  }
  // Mixed: CR, then an empty line that ends in CRLF, then LF.
  const auto frames = read("data: a\r\r\ndata: b\n\r\ndata: c\r\n\n");
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[2].data, "c");
}

TEST(SseReader, SkipsCommentsUnknownFieldsBadRetriesAndEmptyLines) {
  const auto frames = read("\n\r\n: ping\n\nfoo: bar\ndata: x\nretry: 1s\nid: a\\0\n\n\n\n");
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_FALSE(frames[0].has_data);
  EXPECT_TRUE(frames[1].has_data);
  EXPECT_EQ(frames[1].data, "x");
  EXPECT_FALSE(frames[1].retry_ms.has_value());
}

TEST(SseReader, DropsAByteOrderMarkOnlyAtTheStart) {
  const auto frames = read(
      "\xEF\xBB\xBF"
      "data: a\n\n"
      "\xEF\xBB\xBF"
      "data: b\n\n");
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].data, "a");
  EXPECT_FALSE(frames[1].has_data);
}

TEST(SseReader, ReportsWhereEachFrameEnds) {
  const auto frames = read("data: a\n\ndata: b\r\n\r\ndata: c\n\n");
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].end, 9U);
  EXPECT_EQ(frames[1].end, 19U);  // the LF of the last CRLF goes to the next frame
  EXPECT_EQ(frames[2].end, 29U);
}

TEST(SseReader, GivesTheUnfinishedLastFrameOnlyWhenAsked) {
  EXPECT_TRUE(read("data: [DONE]\n").empty());
  EXPECT_TRUE(read("data: a\n\n", {}, true).size() == 1);
  for (std::size_t cut = 0; cut < 12; ++cut) {
    const auto frames = read("data: [DONE]", {cut}, true);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].data, "[DONE]");
  }
}

TEST(SseReader, ReportsAnOverlongFrameWithoutItsContentAndGoesOn) {
  const std::string stream =
      "data: a\n\ndata: " + std::string(limits::kSseFrameBytesMax, 'x') + "\n\ndata: b\n\n";
  std::vector<std::size_t> cuts;
  for (std::size_t at = 4096; at < stream.size(); at += 4096) cuts.push_back(at);
  const auto frames = read(stream, cuts);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_TRUE(frames[1].overlong);
  EXPECT_EQ(frames[1].data, "");
  EXPECT_EQ(frames[2].data, "b");
  EXPECT_EQ(frames, read(stream));
}

TEST(SseReader, PassesAFrameOfExactlyTheLimit) {
  const std::string stream = "data: " + std::string(limits::kSseFrameBytesMax - 8, 'x') + "\n\n";
  for (const auto& frames : {read(stream), read(stream, {1, 70'000})}) {
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_FALSE(frames[0].overlong);
    EXPECT_EQ(frames[0].data.size(), limits::kSseFrameBytesMax - 8);
  }
}

rc::Gen<std::string> gen_stream() {
  return rc::gen::map(
      rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(std::vector<std::string>{
          "data", "data: ", "event:", "id: ", "retry: ", ":", " ", "x", "1", "\n", "\r", "\r\n",
          "\n\n", "\xEF\xBB\xBF", std::string(1, '\0'), "{\"a\":1}"})),
      [](const std::vector<std::string>& parts) {
        std::string out;
        for (const auto& part : parts) out += part;
        return out;
      });
}

RC_GTEST_PROP(SseReader, GivesTheSameFramesAtAnySplit, ()) {
  const auto stream = *gen_stream();
  const auto whole = read(stream, {}, true);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    RC_ASSERT(read(stream, {cut}, true) == whole);
  }
  std::vector<std::size_t> every;
  for (std::size_t cut = 1; cut < stream.size(); ++cut) every.push_back(cut);
  RC_ASSERT(read(stream, every, true) == whole);
}

}  // namespace
}  // namespace signalbox::http
