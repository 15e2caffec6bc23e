// For tests of what other threads do.
#pragma once

#include <chrono>
#include <thread>

#include "base/clock.h"

namespace signalbox::discovery {

// Until it holds or a long time has passed: the messages come over a socket, on another thread.
template <class Condition>
bool comes_true(Condition condition) {
  const TimePoint end = system_clock().now() + std::chrono::seconds(20);
  while (!condition()) {
    if (system_clock().now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace signalbox::discovery
