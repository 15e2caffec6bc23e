// Time. Timeouts and TTLs use the monotonic clock only; wall time is for log lines and protocol fields.
// Clock is an interface so that a simulation can drive the pipeline with virtual time.
#pragma once

#include <chrono>
#include <cstdint>

namespace signalbox {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  // Seconds and fraction since the Unix epoch, for fields such as "created".
  virtual std::chrono::nanoseconds unix_time() const = 0;
};

// The machine's clock; stateless, lives for the whole process.
const Clock& system_clock();

// A moment after which waiting makes no sense. Deadlines are passed in explicitly; none() never passes.
class Deadline {
 public:
  static Deadline none() { return Deadline(TimePoint::max()); }
  static Deadline at(TimePoint time) { return Deadline(time); }
  static Deadline after(TimePoint now, Duration wait) { return Deadline(now + wait); }
  bool passed(TimePoint now) const { return now >= time_; }
  TimePoint time() const { return time_; }
  Duration left(TimePoint now) const { return time_ <= now ? Duration::zero() : time_ - now; }
  // The nearer of the two.
  Deadline sooner(Deadline other) const {
    return Deadline(time_ < other.time_ ? time_ : other.time_);
  }

 private:
  explicit Deadline(TimePoint time) : time_(time) {}
  TimePoint time_;
};

inline double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
inline double milliseconds(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace signalbox
