#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

#include "base/assert.h"
#include "net/epoll_loop.h"
#include "net/network.h"

namespace signalbox::net {
namespace {

constexpr std::array kSignals = {SIGTERM, SIGINT, SIGHUP};

// All that a signal handler may touch: the end of a pipe to write to. A process has one watch.
std::atomic<int> signal_pipe = -1;  // tidy: allow(hidden-state) signal handlers take no argument

void on_signal(int signal) {
  const int kept_errno = errno;
  const auto byte = static_cast<char>(signal);
  const int fd = signal_pipe.load();
  if (fd >= 0) static_cast<void>(::write(fd, &byte, 1));
  errno = kept_errno;
}

class PipeSignalWatch final : public SignalWatch, private Watcher {
 public:
  PipeSignalWatch(EpollLoop& loop, std::function<void(bool)> fn) : loop_(loop), fn_(std::move(fn)) {
    std::array<int, 2> ends{};
    SBX_ASSERT(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0);
    from_handler_ = Fd(ends[0]);
    to_watch_ = Fd(ends[1]);
    SBX_ASSERT(signal_pipe.exchange(to_watch_.get()) == -1);
    loop_.watch(from_handler_.get(), EPOLLIN, *this);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action{};
      action.sa_handler = on_signal;
      action.sa_flags = SA_RESTART;
      ::sigaction(kSignals[i], &action, &before_[i]);
    }
  }
  ~PipeSignalWatch() override {
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &before_[i], nullptr);
    signal_pipe = -1;
    loop_.forget(*this);
  }

 private:
  void ready(std::uint32_t) override {
    char signal = 0;
    while (::read(from_handler_.get(), &signal, 1) == 1) fn_(signal != SIGHUP);
  }

  EpollLoop& loop_;
  std::function<void(bool)> fn_;
  Fd from_handler_;
  Fd to_watch_;
  std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace

std::unique_ptr<SignalWatch> watch_signals(Loop& loop, std::function<void(bool terminate)> fn) {
  return std::make_unique<PipeSignalWatch>(as_epoll(loop), std::move(fn));
}

}  // namespace signalbox::net
