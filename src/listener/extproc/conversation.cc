#include "listener/extproc/conversation.h"

namespace signalbox::listener {

// Registered for the time of one await, so that a message that comes later finds nobody to wake.
struct Conversation::Waiter final : net::Timer {
  Waiter(Conversation& owner, Deadline until) : conversation(owner), deadline(until) {}
  bool await_ready() const { return conversation.arrived_ || conversation.closed_; }
  void await_suspend(std::coroutine_handle<> waiting) {
    handle = waiting;
    conversation.waiter_ = this;
    conversation.loop_.arm(*this, deadline);
  }
  void await_resume() { unlink(); }
  void expired() override { conversation.wake(); }

  Conversation& conversation;
  Deadline deadline;
  std::coroutine_handle<> handle;
};

void Conversation::wake() {
  if (Waiter* waiter = std::exchange(waiter_, nullptr)) waiter->handle.resume();
}

net::Task<Result<ProxyMessage>> Conversation::next(Deadline deadline) {
  want_next();
  co_await Waiter(*this, deadline);
  if (!arrived_) {
    if (closed_) co_return fail(Code::kCancelled, "the proxy ended the exchange");
    co_return fail(Code::kRequestTimeout, "the proxy sent nothing in time");
  }
  co_return *std::exchange(arrived_, std::nullopt);
}

void Conversation::want_next() {
  if (wanted_ || arrived_ || closed_ || ended_) return;
  wanted_ = true;
  link_.want();
}

void Conversation::say(ProxyAnswer answer) {
  if (!muted_) link_.send(std::move(answer));
}

void Conversation::deliver(ProxyMessage message) {
  wanted_ = false;
  arrived_ = std::move(message);
  bool destroyed = false;
  destroyed_ = &destroyed;
  wake();
  if (destroyed) return;
  destroyed_ = nullptr;
  want_next();
}

void Conversation::closed() {
  closed_ = true;
  wanted_ = false;
  if (waiter_ != nullptr) return wake();
  gone_.cancel();
}

void Conversation::cancelled() {
  if (!closed_) closed();
}

}  // namespace signalbox::listener
