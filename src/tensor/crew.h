// Threads that work on one thing together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace signalbox::tensor {

// Where the members of a crew wait for one another: spins for a while, then sleeps in the kernel.
// Reusable; all members of one round must have left before the object goes.
class Barrier {
 public:
  // `spins`: how many polls before sleeping; 0 under a CPU quota, where spinning eats the budget of
  // the thread that is waited for.
  explicit Barrier(std::size_t members, int spins) : members_(members), spins_(spins) {}
  // For another crew. Only when every member has arrived as often as the others; those that have not
  // returned from their last wait yet do so undisturbed.
  void set_members(std::size_t members) { members_ = members; }
  // Returns when all members have called it. What they wrote before is visible to all after.
  void arrive_and_wait();

 private:
  std::atomic<std::size_t> members_;
  const int spins_;
  std::atomic<std::size_t> arrived_ = 0;
  std::atomic<std::uint32_t> round_ = 0;
};

// One member's view: which share is its own, and how to wait for the others.
struct Member {
  std::size_t rank = 0;
  std::size_t size = 1;
  Barrier* barrier = nullptr;  // null when alone
  void wait() const {
    if (barrier != nullptr) barrier->arrive_and_wait();
  }
};

class Crew {
 public:
  virtual ~Crew() = default;
  // Members of the largest crew, the caller counted.
  virtual std::size_t size_max() const = 0;
  // Not for two calls at once. Runs `work` on this thread (rank 0) and on however many others are idle at this moment, none
  // included; returns when all are done. `work` must not throw.
  virtual void run(const std::function<void(const Member&)>& work) = 0;
};

}  // namespace signalbox::tensor
