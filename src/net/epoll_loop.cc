#include "net/epoll_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "net/socket.h"

namespace signalbox::net {

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

EpollLoop::EpollLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  SBX_ASSERT(epoll_);
  wakeup_.event = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  SBX_ASSERT(wakeup_.event);
  watch(wakeup_.event.get(), EPOLLIN, wakeup_);
}

EpollLoop::~EpollLoop() = default;

void EpollLoop::Wakeup::ready(std::uint32_t) {
  std::uint64_t count = 0;
  static_cast<void>(::read(event.get(), &count, sizeof(count)));
}

void EpollLoop::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wakeup_.event.get(), &one, sizeof(one)));
}

void EpollLoop::post(std::move_only_function<void()> fn) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(fn));
  }
  // The loop's own thread looks at the list before it sleeps.
  if (first && thread_.load(std::memory_order_relaxed) != std::this_thread::get_id()) wake();
}

void EpollLoop::arm(Timer& timer, Deadline deadline) {
  if (deadline.time() == TimePoint::max()) {
    timer.unlink();
    return;
  }
  wake_at_ = std::min(wake_at_, wheel_.arm(timer, deadline.time()));
}

void EpollLoop::stop() {
  stopping_ = true;
  wake();
}

void EpollLoop::watch(int fd, std::uint32_t epoll_events, Watcher& watcher) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &watcher;
  // Fails only for want of memory; then the descriptor is never ready and its deadlines end what waits for it.
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event));
}

void EpollLoop::unwatch(int fd) {
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr));
}

void EpollLoop::forget(const Watcher& watcher) {
  for (std::size_t i = events_next_; i < events_count_; ++i) {
    if (events_[i].data.ptr == &watcher) events_[i].data.ptr = nullptr;
  }
}

void EpollLoop::defer(Socket& socket) {
  if (!socket.mark_deferred()) return;
  deferred_.push_back(&socket);
}

void EpollLoop::retire(std::unique_ptr<Socket> socket) { retired_.push_back(std::move(socket)); }

void EpollLoop::run_posted() {
  {
    const std::lock_guard lock(mutex_);
    std::swap(posted_, posted_now_);
  }
  for (auto& fn : posted_now_) fn();
  posted_now_.clear();
}

void EpollLoop::run_deferred() {
  std::swap(deferred_, deferred_now_);
  for (Socket* socket : deferred_now_) socket->run_deferred();
  deferred_now_.clear();
}

void EpollLoop::run_timers() {
  if (wake_at_ == TimePoint::max()) return;
  const TimePoint time = now();
  if (wake_at_ > time) return;
  wake_at_ = TimePoint::max();
  wheel_.advance(time);
  wake_at_ = std::min(wake_at_, wheel_.next());
}

void EpollLoop::free_retired() {
  std::erase_if(retired_, [&](const auto& socket) {
    if (socket->is_deferred()) return false;
    forget(*socket);
    return true;
  });
}

bool EpollLoop::has_more_to_do() {
  if (!deferred_.empty() || stopping_) return true;
  const std::lock_guard lock(mutex_);
  return !posted_.empty();
}

int EpollLoop::wait_milliseconds() {
  if (has_more_to_do()) return 0;
  if (wake_at_ == TimePoint::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake_at_ - now()).count();
  return static_cast<int>(
      std::clamp<std::int64_t>(left, 0, std::numeric_limits<std::int32_t>::max()));
}

void EpollLoop::wait_for_events() {
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                 wait_milliseconds());
  SBX_ASSERT(count >= 0 || errno == EINTR);
  events_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (events_next_ = 0; events_next_ < events_count_;) {
    const epoll_event& event = events_[events_next_++];
    if (auto* watcher = static_cast<Watcher*>(event.data.ptr)) watcher->ready(event.events);
  }
  events_count_ = events_next_ = 0;
}

void EpollLoop::run() {
  thread_ = std::this_thread::get_id();
  while (!stopping_) {
    run_posted();
    run_deferred();
    run_timers();
    if (!retired_.empty()) free_retired();
    wait_for_events();
  }
  stopping_ = false;  // the loop may be run again to finish what is left
  thread_ = std::thread::id();
}

EpollLoop& as_epoll(Loop& loop) {
  auto* epoll_loop = dynamic_cast<EpollLoop*>(&loop);
  SBX_ASSERT(epoll_loop != nullptr);
  return *epoll_loop;
}

std::unique_ptr<Loop> make_loop() { return std::make_unique<EpollLoop>(); }

}  // namespace signalbox::net
