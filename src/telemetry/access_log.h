// The access log: one JSON object a line for each request, written when it is over. Holds ids, names, numbers and enum
// words; never text of a prompt or an answer, never a header's value except ids.
//
// Each loop has its own AccessLog, a plain buffer without locks. It is written to the shared AccessLogSink when it holds
// kAccessLogFlushBytes, and by its owner's timer. A reader that is too slow loses lines, counted; it never stops a loop.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"

namespace signalbox::telemetry {

// Views live for the call of append() only. Empty text, negative numbers and nothing are left out of the line.
struct AccessRecord {
  std::chrono::nanoseconds
      time{};  // Unix, end of the request; printed as RFC 3339 UTC with milliseconds
  std::string_view request_id;
  std::string_view trace_id;
  std::string_view method;
  std::string_view path;
  int status = 0;
  std::string_view requested_model;
  std::string_view model;
  std::string_view decision;
  std::string_view category;
  float confidence = -1;
  std::optional<bool> reasoning;
  std::string_view endpoint;
  int attempts = 0;
  std::int64_t prompt_tokens = -1;
  std::int64_t completion_tokens = -1;
  std::int64_t cached_tokens = -1;
  std::optional<Duration> ttft;
  Duration duration{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  bool stream = false;
  std::string_view rung;
  std::string_view error;  // CodeTraits::label
  std::string_view user;   // the caller passes it only if the configuration says so
  std::string_view peer;
};

// Appends the line with its newline. Text is cut to kAccessLogFieldBytesMax, so that a line stays under 4 KiB and a pipe
// takes it whole; bytes outside printable ASCII become '?'. No allocation but the buffer's own.
void append_access_line(std::string& out, const AccessRecord& record);

// Where lines go. Shared by all loops.
class AccessLogSink {
 public:
  virtual ~AccessLogSink() = default;
  // Takes whole lines from the front of `lines`, removes what it took, never waits for a reader.
  virtual void take(std::string& lines) = 0;
  // Opens the file again (after a rotation moved it); elsewhere nothing. Errors: kIo, the old file stays in use.
  virtual Result<void> reopen() = 0;
};

// "stderr", "stdout" or a file's path (created 0640, appended to). Errors: kIo.
Result<std::unique_ptr<AccessLogSink>> open_access_log(const std::string& target);

class AccessLog {
 public:
  explicit AccessLog(AccessLogSink& sink) : sink_(sink) {}
  void append(const AccessRecord& record);
  // A line of another form, without its newline; cut to a pipe's size.
  void append_text(std::string_view line);
  // Writes what the buffer holds; the owner calls it about once a second and at the end.
  void flush() { sink_.take(lines_); }
  // Lines lost since the call before, for Instruments::access_log_dropped.
  std::uint64_t take_dropped() { return std::exchange(dropped_, 0); }

 private:
  bool has_room();
  void appended();

  AccessLogSink& sink_;
  std::string lines_;
  std::size_t flush_at_ = limits::kAccessLogFlushBytes;
  std::uint64_t dropped_ = 0;
};

}  // namespace signalbox::telemetry
