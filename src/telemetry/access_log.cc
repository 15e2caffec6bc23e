#include "telemetry/access_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

constexpr std::size_t kPipeBytes =
    4096;  // Linux PIPE_BUF: smaller writes are never mixed with others

class Line {
 public:
  explicit Line(std::string& out) : out_(out) { out_.push_back('{'); }
  void end() { out_ += "}\n"; }

  void text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    begin(key);
    out_.push_back('"');
    const std::size_t end = out_.size() + limits::kAccessLogFieldBytesMax;
    for (std::size_t i = 0; i < value.size() && out_.size() < end; ++i) put(value[i]);
    out_.push_back('"');
  }
  template <class T>
  void number(std::string_view key, T value) {
    begin(key);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void milliseconds(std::string_view key, Duration value) {
    begin(key);
    fmt::format_to(std::back_inserter(out_), "{:.3f}", signalbox::milliseconds(value));
  }
  void time(std::string_view key, std::chrono::nanoseconds unix_time) {
    begin(key);
    const auto whole = std::chrono::floor<std::chrono::seconds>(unix_time);
    const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(unix_time - whole);
    fmt::format_to(std::back_inserter(out_), "\"{:%Y-%m-%dT%H:%M:%S}.{:03}Z\"",
                   fmt::gmtime(whole.count()), part.count());
  }

 private:
  void begin(std::string_view key) {
    if (out_.back() != '{') out_.push_back(',');
    out_.push_back('"');
    out_ += key;
    out_ += "\":";
  }
  // Names are ASCII nearly always; anything else becomes '?', so that a line is valid JSON whatever came in.
  void put(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
      out_.push_back(c);
    } else if (byte < 0x20 || byte >= 0x7f) {
      out_.push_back('?');
    } else {
      out_.push_back(c);
    }
  }
  std::string& out_;
};

class DescriptorSink final : public AccessLogSink {
 public:
  // `path` empty: a standard stream that is not ours to close.
  DescriptorSink(int descriptor, std::string path)
      : descriptor_(descriptor), path_(std::move(path)) {
    classify();
  }
  ~DescriptorSink() override {
    if (!path_.empty()) ::close(descriptor_);
  }
  DescriptorSink(const DescriptorSink&) = delete;
  DescriptorSink& operator=(const DescriptorSink&) = delete;

  void take(std::string& lines) override {
    const std::lock_guard lock(mutex_);
    std::size_t done = 0;
    while (done < lines.size()) {
      const std::size_t size = next_write(std::string_view(lines).substr(done));
      if (!ready()) break;
      const ssize_t written = ::write(descriptor_, lines.data() + done, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) break;
      done += static_cast<std::size_t>(written);
    }
    lines.erase(0, done);
  }

  Result<void> reopen() override {
    if (path_.empty()) return {};
    const std::lock_guard lock(mutex_);
    SBX_TRY(const int fresh, open_file(path_));
    ::close(descriptor_);
    descriptor_ = fresh;
    classify();
    return {};
  }

  static Result<int> open_file(const std::string& path) {
    const int descriptor =
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (descriptor < 0) {
      return fail(Code::kIo,
                  fmt::format("cannot open the access log {}: {}", path, std::strerror(errno)));
    }
    return descriptor;
  }

 private:
  void classify() {
    struct stat status{};
    regular_ = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
  }
  // A file takes everything; a pipe or terminal gets whole lines of at most kPipeBytes, which do not block once it says
  // that it is writable.
  std::size_t next_write(std::string_view lines) const {
    if (regular_ || lines.size() <= kPipeBytes) return lines.size();
    const auto newline = lines.substr(0, kPipeBytes).rfind('\n');
    return newline == std::string_view::npos ? kPipeBytes : newline + 1;
  }
  bool ready() const {
    if (regular_) return true;
    pollfd poll_for{descriptor_, POLLOUT, 0};
    return ::poll(&poll_for, 1, 0) == 1 && (poll_for.revents & POLLOUT) != 0;
  }

  std::mutex mutex_;  // one writer at a time; also guards reopen
  int descriptor_;
  const std::string path_;
  bool regular_ = false;
};

}  // namespace

void append_access_line(std::string& out, const AccessRecord& record) {
  Line line(out);
  line.time("time", record.time);
  line.text("request_id", record.request_id);
  line.text("trace_id", record.trace_id);
  line.text("method", record.method);
  line.text("path", record.path);
  line.number("status", record.status);
  line.text("requested_model", record.requested_model);
  line.text("model", record.model);
  line.text("decision", record.decision);
  line.text("category", record.category);
  if (record.confidence >= 0) line.number("confidence", record.confidence);
  if (record.reasoning) line.number("reasoning", *record.reasoning);
  line.text("rung", record.rung);
  line.text("endpoint", record.endpoint);
  line.number("attempts", record.attempts);
  if (record.prompt_tokens >= 0) line.number("prompt_tokens", record.prompt_tokens);
  if (record.completion_tokens >= 0) line.number("completion_tokens", record.completion_tokens);
  if (record.cached_tokens >= 0) line.number("cached_tokens", record.cached_tokens);
  if (record.ttft) line.milliseconds("ttft_ms", *record.ttft);
  line.milliseconds("duration_ms", record.duration);
  line.number("bytes_received", record.bytes_received);
  line.number("bytes_sent", record.bytes_sent);
  line.number("stream", record.stream);
  line.text("error", record.error);
  line.text("user", record.user);
  line.text("peer", record.peer);
  line.end();
}

Result<std::unique_ptr<AccessLogSink>> open_access_log(const std::string& target) {
  if (target == "stderr") return std::make_unique<DescriptorSink>(STDERR_FILENO, "");
  if (target == "stdout") return std::make_unique<DescriptorSink>(STDOUT_FILENO, "");
  SBX_TRY(const int descriptor, DescriptorSink::open_file(target));
  return std::make_unique<DescriptorSink>(descriptor, target);
}

bool AccessLog::has_room() {
  if (lines_.size() < limits::kAccessLogBufferBytesMax) return true;
  ++dropped_;
  return false;
}

void AccessLog::appended() {
  if (lines_.size() < flush_at_) return;
  flush();
  // Where a slow reader left bytes behind, the next try comes after as many more, not with each line.
  flush_at_ = lines_.size() + limits::kAccessLogFlushBytes;
}

void AccessLog::append(const AccessRecord& record) {
  if (!has_room()) return;
  append_access_line(lines_, record);
  appended();
}

void AccessLog::append_text(std::string_view line) {
  if (!has_room()) return;
  lines_.append(line.substr(0, kPipeBytes - 1));
  lines_ += '\n';
  appended();
}

}  // namespace signalbox::telemetry
