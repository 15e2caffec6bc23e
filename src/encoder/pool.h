// A bounded pool of compute threads around one Encoder. I/O threads hand a text in and are called
// back on a compute thread; they must hop home themselves. While others wait in the queue a request
// runs on one thread, which gives the best throughput; a long text that is alone gets the idle
// threads too, which gives the shortest answer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "encoder/encoder.h"
#include "tensor/crew.h"

namespace signalbox::encoder {

class Pool {
 public:
  using Done = std::move_only_function<void(Analysis)>;

  // `threads` is at least 1 and should be what the I/O threads leave of cpu_budget(). Encoder and
  // clock outlive the Pool.
  Pool(const Encoder& encoder, int threads, const Clock& clock = system_clock());
  // Runs what was accepted (jobs past their deadline fail at once), then joins.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Takes a job and returns true, or returns false at once when kEncoderQueueMax jobs wait; `done`
  // is not called then. An accepted job's `done` is called exactly once, on a compute thread, and
  // must not throw or block. A job whose deadline has passed when its turn comes fails with
  // kRequestTimeout and costs nothing. Never blocks.
  bool submit(std::string text, Demand demand, Done done, Deadline deadline = Deadline::none());

  const Encoder& encoder() const { return encoder_; }
  // For metrics; a moment's truth.
  std::size_t queued() const;
  std::uint64_t completed() const;
  std::uint64_t rejected() const;  // refused because the queue was full
  std::uint64_t expired() const;   // dropped because their deadline had passed

 private:
  struct Job {
    std::string text;
    Demand demand = Demand::kNone;
    Done done;
    Deadline deadline = Deadline::none();
  };
  // A thread of the pool: takes jobs, and as leader of a crew asks idle threads for help.
  class Worker : public tensor::Crew {
   public:
    Worker(Pool& pool, int spins) : pool_(pool), barrier_(1, spins) {}
    std::size_t size_max() const override { return pool_.workers_.size(); }
    void run(const std::function<void(const tensor::Member&)>& work) override;

   private:
    Pool& pool_;
    tensor::Barrier barrier_;  // lives as long as the pool: its last user may be a late helper
  };
  struct Call {  // a place in a crew that an idle thread is to take
    const std::function<void(const tensor::Member&)>* work = nullptr;
    tensor::Member member;
  };
  void serve(Worker& self);
  void serve_job(Job job, Workspace& workspace, std::unique_lock<std::mutex>& lock);

  const Encoder& encoder_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> queue_;        // guarded by mutex_, at most kEncoderQueueMax
  std::deque<Call> calls_;       // guarded by mutex_, at most waiting_: taken before jobs
  std::size_t waiting_ = 0;      // threads with nothing to do; guarded by mutex_
  bool closing_ = false;         // guarded by mutex_
  std::uint64_t completed_ = 0;  // guarded by mutex_, as the two below
  std::uint64_t rejected_ = 0;
  std::uint64_t expired_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace signalbox::encoder
