// Messages of one stream in turn: what arrives is waited for with a deadline, what is answered goes out in order. The
// next message is always asked for ahead, so that Envoy's leaving is noticed while a request is being thought about; but
// behind what is said at once, because gRPC writes an answer and the leave to send more together if they come that way.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "listener/extproc/link.h"
#include "listener/extproc/message.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::listener {

class Conversation {
 public:
  // Both outlive the conversation; link.finish() is the owner's to call.
  Conversation(ProxyLink& link, net::Loop& loop) : link_(link), loop_(loop) {}
  ~Conversation() {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Errors: kCancelled (the stream is closed), kRequestTimeout. One waiter at a time.
  net::Task<Result<ProxyMessage>> next(Deadline deadline);
  // In observability mode nothing is said.
  void say(ProxyAnswer answer);
  void mute() { muted_ = true; }
  bool muted() const { return muted_; }

  // From the link, on the loop: the message that was wanted, or the end of the stream.
  void deliver(ProxyMessage message);
  void closed();
  // Envoy gave the exchange up, or a drain is out of time.
  void cancelled();
  // Fires when there is nobody left to answer while no message is waited for.
  net::Cancellation& gone() { return gone_; }
  bool is_closed() const { return closed_; }
  // Nothing is asked for any more: the link is about to be finished.
  void end() { ended_ = true; }

 private:
  struct Waiter;
  void wake();
  void want_next();

  ProxyLink& link_;
  net::Loop& loop_;
  net::Cancellation gone_;
  std::optional<ProxyMessage> arrived_;
  Waiter* waiter_ = nullptr;
  bool wanted_ = true;  // the first comes unasked
  bool closed_ = false;
  bool muted_ = false;
  bool ended_ = false;
  bool* destroyed_ = nullptr;  // of the deliver() under way
};

}  // namespace signalbox::listener
