// Where requests wait while every engine of their model is full: first come first served within a model, models in turn, so
// that a burst of one does not stand in the way of the others. One per core; engines are counted over all cores, so a place
// that another core gives back is seen a few milliseconds later.
#pragma once

#include <coroutine>
#include <functional>
#include <list>
#include <string>

#include "base/error.h"
#include "config/model.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::upstream {

class WaitingRoom final : private net::Timer {
 public:
  explicit WaitingRoom(net::Loop& loop) : loop_(loop) {}
  WaitingRoom(const WaitingRoom&) = delete;
  WaitingRoom& operator=(const WaitingRoom&) = delete;

  // Who wants in. `has_room` is asked now and whenever a place may have become free; it must stay callable until enter()
  // returns. `gone` is the client's.
  struct Visitor {
    Visitor(std::string model_name, std::function<bool()> room, net::Cancellation* client_gone)
        : model(std::move(model_name)), has_room(std::move(room)), gone(client_gone) {}
    std::string model;
    std::function<bool()> has_room;
    net::Cancellation* gone;
  };
  // Returns as soon as there is room and nobody of the same model waits longer. The caller takes its place before it next
  // suspends. Errors: kOverloaded at once when `waiting_max` of the model wait, or after `wait`; kCancelled.
  net::Task<Result<void>> enter(Visitor visitor, const config::Queue* settings, Deadline deadline);
  // A request has ended: somebody may go in.
  void look();
  std::size_t waiting() const { return waiting_; }

 private:
  struct Place;
  struct Line {
    std::string model;
    std::list<Place*> places;
  };
  void expired() override;
  Line& line_of(const std::string& model);
  void take_out(Place& place);
  bool let_one_in();

  net::Loop& loop_;
  std::list<Line> lines_;  // the front one is next
  std::size_t waiting_ = 0;
  bool looking_ = false;
};

}  // namespace signalbox::upstream
