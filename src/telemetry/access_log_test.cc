#include "telemetry/access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A sink of which a test sets how many bytes it takes.
class FakeSink final : public AccessLogSink {
 public:
  void take(std::string& lines) override {
    const std::size_t size = std::min(lines.size(), room);
    taken += lines.substr(0, size);
    lines.erase(0, size);
    room -= size;
    ++calls;
  }
  Result<void> reopen() override { return {}; }
  std::size_t room = std::string::npos / 2;
  std::string taken;
  int calls = 0;
};

AccessRecord sample() {
  AccessRecord record;
  record.time = std::chrono::milliseconds(1'700'000'000'123);
  record.request_id = "r-1";
  record.method = "POST";
  record.path = "/v1/chat/completions";
  record.status = 200;
  record.requested_model = "MoM";
  record.model = "math-expert";
  record.duration = std::chrono::microseconds(1500);
  return record;
}

TEST(AccessLog, ALineIsOneJsonObjectWithWhatIsKnown) {
  std::string out;
  AccessRecord record = sample();
  record.reasoning = true;
  record.confidence = 0.5F;
  record.prompt_tokens = 12;
  record.ttft = std::chrono::microseconds(250);
  append_access_line(out, record);
  EXPECT_EQ(
      out,
      R"({"time":"2023-11-14T22:13:20.123Z","request_id":"r-1","method":"POST",)"
      R"("path":"/v1/chat/completions","status":200,"requested_model":"MoM","model":"math-expert",)"
      R"("confidence":0.5,"reasoning":true,"attempts":0,"prompt_tokens":12,"ttft_ms":0.250,)"
      R"("duration_ms":1.500,"bytes_received":0,"bytes_sent":0,"stream":false})"
      "\n");
}

TEST(AccessLog, HostileTextNeitherBreaksTheLineNorMakesItLong) {
  std::string out;
  AccessRecord record = sample();
  const std::string hostile = "a\"b\\c\nd\xff" + std::string(10'000, '"');
  for (auto* field : {&record.path, &record.requested_model, &record.request_id, &record.user,
                      &record.method, &record.decision, &record.category, &record.endpoint,
                      &record.rung, &record.error, &record.trace_id, &record.peer, &record.model}) {
    *field = hostile;
  }
  append_access_line(out, record);
  EXPECT_THAT(out, HasSubstr(R"("path":"a\"b\\c?d?\")"));
  EXPECT_EQ(std::ranges::count(out, '\n'), 1);
  EXPECT_LE(out.size(), 4096U);
}

TEST(AccessLog, LinesAreWrittenInBatchesAndAtFlush) {
  FakeSink sink;
  AccessLog log(sink);
  log.append(sample());
  EXPECT_EQ(sink.calls, 0);
  log.flush();
  EXPECT_EQ(std::ranges::count(sink.taken, '\n'), 1);
  for (int i = 0; i < 1000; ++i) log.append(sample());
  EXPECT_GT(sink.calls, 2);
  EXPECT_LT(sink.calls, 50);
}

TEST(AccessLog, AReaderThatTakesNothingCostsLinesNotMemory) {
  FakeSink sink;
  sink.room = 0;
  AccessLog log(sink);
  constexpr int kLines = 20'000;
  for (int i = 0; i < kLines; ++i) log.append(sample());
  EXPECT_LT(sink.calls, 100);
  const std::uint64_t dropped = log.take_dropped();
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(log.take_dropped(), 0U);
  sink.room = std::string::npos / 2;
  log.flush();
  EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(sink.taken, '\n')) + dropped,
            std::uint64_t{kLines});
  EXPECT_LE(sink.taken.size(), limits::kAccessLogBufferBytesMax + 4096);
}

TEST(AccessLog, AfterRotationTheNewFileGetsTheLines) {
  const std::string path = ::testing::TempDir() + "access_log_test_rotation.log";
  const std::string moved = path + ".1";
  std::filesystem::remove(path);
  auto sink = open_access_log(path);
  ASSERT_TRUE(sink.has_value()) << sink.error().message;
  AccessLog log(**sink);
  AccessRecord record = sample();
  record.request_id = "before";
  log.append(record);
  log.flush();
  std::filesystem::rename(path, moved);
  ASSERT_TRUE((*sink)->reopen().has_value());
  record.request_id = "after";
  log.append(record);
  log.flush();
  EXPECT_THAT(read_file(moved, 1 << 20).value(), HasSubstr("before"));
  EXPECT_THAT(read_file(path, 1 << 20).value(), HasSubstr("after"));
  EXPECT_THAT(read_file(path, 1 << 20).value(), Not(HasSubstr("before")));
  std::filesystem::remove(path);
  std::filesystem::remove(moved);
}

TEST(AccessLog, APathThatCannotBeOpenedIsAnErrorThatNamesIt) {
  const auto sink = open_access_log("/nonexistent/access.log");
  ASSERT_FALSE(sink.has_value());
  EXPECT_EQ(sink.error().code, Code::kIo);
  EXPECT_THAT(sink.error().message, HasSubstr("/nonexistent/access.log"));
}

// A fifo whose reader does not read: the writer keeps whole lines back and goes on.
TEST(AccessLog, AStuckPipeNeverBlocksAndSplitsNoLine) {
  const std::string path = ::testing::TempDir() + "access_log_test_fifo";
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto sink = open_access_log(path);
  ASSERT_TRUE(sink.has_value());
  std::string lines;
  while (lines.size() < 512 * 1024) append_access_line(lines, sample());
  const std::size_t all = lines.size();
  (*sink)->take(lines);
  ASSERT_GT(lines.size(), 0U);
  EXPECT_LT(lines.size(), all);
  EXPECT_EQ(lines.substr(0, 8), "{\"time\":");
  ::close(reader);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace signalbox::telemetry
