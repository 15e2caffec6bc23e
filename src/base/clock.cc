#include "base/clock.h"

namespace signalbox {
namespace {

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  std::chrono::nanoseconds unix_time() const override {
    return std::chrono::system_clock::now().time_since_epoch();
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace signalbox
