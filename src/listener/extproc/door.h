// The ExtProc door of one core: takes streams that the gRPC server gives it, from any thread, and serves each on its loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/random.h"
#include "listener/extproc/carrier.h"
#include "listener/extproc/conversation.h"
#include "listener/extproc/link.h"
#include "listener/extproc/session.h"
#include "listener/http/connection.h"
#include "net/loop.h"
#include "telemetry/instruments.h"

namespace signalbox::listener {

// Where a stream's messages are delivered while its session lives; made by the door, held by the link. The members are
// touched on the loop only.
struct Inbox {
  explicit Inbox(net::Loop& owner) : loop(owner) {}
  net::Loop& loop;
  Conversation* conversation = nullptr;
  bool closed = false;  // before the session began

  // From any thread.
  static void deliver(const std::shared_ptr<Inbox>& inbox, ProxyMessage message);
  static void close(const std::shared_ptr<Inbox>& inbox);
};

// Whether all there is to say to a stream's first message is "go on", so that the answer need not wait for the loop: the
// headers of a request whose body follows whole.
bool goes_on(const ProxyMessage& first, const ProxyHandler& handler);

class ExtProcDoor {
 public:
  // Everything outlives the door. `settings` is called on the loop's thread at the start of each stream.
  ExtProcDoor(net::Loop& loop, ProxyHandler& handler, SettingsSource settings,
              telemetry::Instruments& instruments, std::atomic<std::uint64_t>& open_streams)
      : loop_(loop),
        handler_(handler),
        settings_(std::move(settings)),
        instruments_(instruments),
        open_streams_(open_streams),
        random_(entropy_seed()),
        sessions_(loop) {
    // Messages come on gRPC's threads; where the loop sleeps they go through its stages there and then.
    loop_.allow_turns();
  }

  // From any thread. The link stays valid until its finish() is called, which happens on the loop. False: too many
  // streams are open, and the stream is refused instead of served.
  bool accept(ProxyLink* link, std::shared_ptr<Inbox> inbox);
  // See goes_on() below. From any thread.
  bool lets_go_on(const ProxyMessage& first) const { return goes_on(first, handler_); }
  net::Loop& loop() { return loop_; }
  // From any thread: no further stream can come, because the server is closed.
  void server_closed() const { closed_.set(true); }
  // Waits for the server and for the streams under way. On the loop.
  net::Task<void> drain(Deadline deadline);

 private:
  net::Task<void> serve(ProxyLink* link, std::shared_ptr<Inbox> inbox);
  void refuse(ProxyLink& link);

  net::Loop& loop_;
  ProxyHandler& handler_;
  SettingsSource settings_;
  telemetry::Instruments& instruments_;
  std::atomic<std::uint64_t>& open_streams_;  // of all cores
  Random random_;
  net::TaskGroup sessions_;
  net::OneShot<bool> closed_{loop_};
};

}  // namespace signalbox::listener
