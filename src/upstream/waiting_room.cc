#include "upstream/waiting_room.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

namespace signalbox::upstream {
namespace {

// Places that other cores give back are noticed so late at most (and by the grain of the loop's timers).
constexpr std::chrono::milliseconds kLookInterval{5};

}  // namespace

// One that waits. Resumed once, by whatever comes first: a place, its deadline, the client's end.
struct WaitingRoom::Place final : net::Timer {
  enum class End : std::uint8_t { kNone, kEntered, kTooLate, kGone };
  explicit Place(WaitingRoom& owner, Visitor& asking, Deadline until)
      : room(owner), visitor(asking), deadline(until) {}

  bool await_ready() const { return end != End::kNone; }
  void await_suspend(std::coroutine_handle<> handle) {
    waiting = handle;
    room.loop_.arm(*this, deadline);
  }
  void await_resume() const {}
  void expired() override { finish(End::kTooLate); }
  void finish(End how) {
    if (end != End::kNone) return;
    end = how;
    unlink();
    room.take_out(*this);
    if (waiting) waiting.resume();
  }

  WaitingRoom& room;
  Visitor& visitor;
  Deadline deadline;
  std::coroutine_handle<> waiting;
  End end = End::kNone;
};

WaitingRoom::Line& WaitingRoom::line_of(const std::string& model) {
  const auto at = std::ranges::find(lines_, model, &Line::model);
  if (at != lines_.end()) return *at;
  lines_.push_back({model, {}});
  return lines_.back();
}

void WaitingRoom::take_out(Place& place) {
  const auto line = std::ranges::find(lines_, place.visitor.model, &Line::model);
  if (line == lines_.end()) return;
  waiting_ -= line->places.remove(&place);
  if (line->places.empty()) lines_.erase(line);
  if (waiting_ == 0) unlink();
}

net::Task<Result<void>> WaitingRoom::enter(Visitor visitor, const config::Queue* settings,
                                           Deadline deadline) {
  const auto known = std::ranges::find(lines_, visitor.model, &Line::model);
  const std::size_t before = known == lines_.end() ? 0 : known->places.size();
  if (before == 0 && visitor.has_room()) co_return Result<void>{};
  if (before >= settings->waiting_max) {
    co_return fail(Code::kOverloaded,
                   fmt::format("every engine of this model is busy and {} requests wait", before));
  }
  Place place(*this, visitor, Deadline::after(loop_.now(), settings->wait).sooner(deadline));
  line_of(visitor.model).places.push_back(&place);
  ++waiting_;
  if (!armed()) loop_.arm(*this, Deadline::after(loop_.now(), kLookInterval));
  {
    std::optional<net::Cancellation::Registration> registration;
    if (visitor.gone != nullptr)
      registration.emplace(*visitor.gone, [&place] { place.finish(Place::End::kGone); });
    co_await place;
  }
  if (place.end == Place::End::kGone) co_return fail(Code::kCancelled, "the client is gone");
  if (place.end == Place::End::kTooLate)
    co_return fail(Code::kOverloaded, "no engine of this model became free in time");
  co_return Result<void>{};
}

bool WaitingRoom::let_one_in() {
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    Place* first = lines_.front().places.front();
    lines_.splice(lines_.end(), lines_, lines_.begin());  // its turn is over, whether it gets in
    if (!first->visitor.has_room()) continue;
    first->finish(Place::End::kEntered);  // runs until it has taken its place
    return true;
  }
  return false;
}

void WaitingRoom::look() {
  // Whoever goes in may end at once and look again from within.
  if (looking_ || waiting_ == 0) return;
  looking_ = true;
  bool again = true;
  while (again) again = waiting_ > 0 && let_one_in();
  looking_ = false;
}

void WaitingRoom::expired() {
  look();
  if (waiting_ > 0) loop_.arm(*this, Deadline::after(loop_.now(), kLookInterval));
}

}  // namespace signalbox::upstream
