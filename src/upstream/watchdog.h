// Notices engines that take requests and say nothing. A long silence alone is no fault: prefill of a long prompt, or an
// answer that comes in one piece, takes its time. So the engine is asked on its health path; one that answers there is
// working, one that does not has hung or is gone, and its request is worth another attempt.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/model.h"
#include "discovery/endpoint.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::upstream {

// Asks engines whether they are alive; one question an engine at a time, whoever waits for the answer. One per core.
class Prober {
 public:
  Prober(net::Loop& loop, http::ClientPool& clients)
      : loop_(loop), clients_(clients), tasks_(loop) {}

  struct Question {
    std::shared_ptr<discovery::Endpoint> endpoint;
    const config::BackendRef* backend = nullptr;  // read before ask() returns
    std::string path;
    Duration timeout{};
  };
  // Calls `answered` once, on this loop, with whether any HTTP answer below 500 came in time. Later calls of an answered
  // one must be harmless.
  void ask(Question question, std::function<void(bool alive)> answered);
  net::Task<void> close();

 private:
  struct Asking {
    std::vector<std::function<void(bool)>> waiting;
  };
  net::Task<void> run(std::shared_ptr<discovery::Endpoint> endpoint, config::BackendRef backend,
                      std::string path, Deadline deadline);

  net::Loop& loop_;
  http::ClientPool& clients_;
  net::TaskGroup tasks_;
  net::Cancellation closing_;
  std::map<const discovery::Endpoint*, Asking> asking_;
};

// Watches one attempt from start() until stop(). Cancelling the client's source cancels the attempt's too.
class Watchdog final : private net::Timer {
 public:
  struct Watched {
    std::shared_ptr<discovery::Endpoint> endpoint;
    const config::BackendRef* backend = nullptr;  // outlives the watchdog's watch
    std::string health_path;
    bool streams = false;
    // Whether the request could go elsewhere: a silent engine is better than none.
    std::function<bool()> elsewhere;
  };
  Watchdog(net::Loop& loop, Prober& prober, Watched watched, const config::Hung& settings,
           net::Cancellation* client);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() override;

  void start();
  void stop();
  // The source that the attempt's connection is opened with.
  net::Cancellation& cancellation() { return attempt_; }
  bool gave_up() const { return gave_up_; }

 private:
  void expired() override;
  void answered(bool alive);
  void give_up();

  net::Loop& loop_;
  Prober& prober_;
  Watched watched_;
  const config::Hung settings_;
  net::Cancellation attempt_;
  std::optional<net::Cancellation::Registration> client_;
  std::shared_ptr<Watchdog*> self_;  // for answers that come when it is gone
  TimePoint started_at_{};
  bool watching_ = false;
  bool gave_up_ = false;
};

}  // namespace signalbox::upstream
