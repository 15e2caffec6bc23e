#include "net/epoll_loop.h"

#include <poll.h>
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

bool EpollLoop::add_posted(std::move_only_function<void()> fn) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(fn));
  return posted_.size() == 1;
}

void EpollLoop::post(std::move_only_function<void()> fn) {
  const bool first = add_posted(std::move(fn));
  // Who runs a turn looks at the list at its end.
  if (first && !is_mine()) wake();
}

void EpollLoop::run_or_post(std::move_only_function<void()> fn) {
  const bool first = add_posted(std::move(fn));
  if (is_mine()) return;
  bool somebody_must = first;
  if (std::unique_lock turn(turn_, std::defer_lock); allows_turns_ && turn.try_lock() && asleep_) {
    thread_ = std::this_thread::get_id();
    run_posted();
    run_deferred();
    somebody_must = has_more_to_do() || wake_at_ < asleep_until_;
    thread_ = std::thread::id();
  }
  if (somebody_must) wake();
}

void EpollLoop::begin_turn() {
  if (allows_turns_) turn_.lock();
  thread_ = std::this_thread::get_id();
}

void EpollLoop::end_turn() {
  thread_ = std::thread::id();
  if (allows_turns_) turn_.unlock();
}

// Without taking events yet: a turn of another thread may free what they name.
void EpollLoop::sleep(int milliseconds) {
  asleep_ = true;
  asleep_until_ = wake_at_;
  end_turn();
  pollfd ready{.fd = epoll_.get(), .events = POLLIN, .revents = 0};
  const int count = ::poll(&ready, 1, milliseconds);
  SBX_ASSERT(count >= 0 || errno == EINTR);
  begin_turn();
  asleep_ = false;
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
  int milliseconds = wait_milliseconds();
  if (allows_turns_ && milliseconds != 0) sleep(std::exchange(milliseconds, 0));
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), milliseconds);
  SBX_ASSERT(count >= 0 || errno == EINTR);
  events_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (events_next_ = 0; events_next_ < events_count_;) {
    const epoll_event& event = events_[events_next_++];
    auto* watcher = static_cast<Watcher*>(event.data.ptr);
    if (watcher == nullptr) continue;
    event_clock_.event_begins();
    watcher->ready(event.events);
  }
  event_clock_.events_are_over();
  events_count_ = events_next_ = 0;
}

void EpollLoop::run() {
  begin_turn();
  while (!stopping_) {
    run_posted();
    run_deferred();
    run_timers();
    if (!retired_.empty()) free_retired();
    wait_for_events();
  }
  stopping_ = false;  // the loop may be run again to finish what is left
  end_turn();
}

EpollLoop& as_epoll(Loop& loop) {
  auto* epoll_loop = dynamic_cast<EpollLoop*>(&loop);
  SBX_ASSERT(epoll_loop != nullptr);
  return *epoll_loop;
}

std::unique_ptr<Loop> make_loop() { return std::make_unique<EpollLoop>(); }

}  // namespace signalbox::net
