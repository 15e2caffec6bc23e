#include "encoder/pool.h"

#include <algorithm>
#include <utility>

#include "base/cpu.h"
#include "base/limits.h"

namespace signalbox::encoder {

Pool::Pool(const Encoder& encoder, int threads, const Clock& clock)
    : encoder_(encoder), clock_(clock) {
  // About 30 us of polls: longer than members of a crew differ when both have a core.
  constexpr int kSpins = 2000;
  const int spins = cpu_budget().quota_cores > 0 ? 0 : kSpins;
  for (int i = 0; i < std::max(threads, 1); ++i)
    workers_.push_back(std::make_unique<Worker>(*this, spins));
  for (auto& worker : workers_)
    threads_.emplace_back([this, self = worker.get()] { serve(*self); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Pool::submit(std::string text, Demand demand, Done done, Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= limits::kEncoderQueueMax) {
      ++rejected_;
      return false;
    }
    queue_.push_back({std::move(text), demand, std::move(done), deadline});
  }
  ready_.notify_one();
  return true;
}

void Pool::serve(Worker& self) {
  Workspace workspace;
  workspace.set_crew(&self);
  std::unique_lock lock(mutex_);
  for (;;) {
    ++waiting_;
    ready_.wait(lock, [this] { return closing_ || !queue_.empty() || !calls_.empty(); });
    --waiting_;
    if (!calls_.empty()) {
      const Call call = calls_.front();
      calls_.pop_front();
      lock.unlock();
      (*call.work)(call.member);
      call.member.wait();  // the leader's work object is gone after this
      lock.lock();
    } else if (!queue_.empty()) {
      Job job = std::move(queue_.front());
      queue_.pop_front();
      serve_job(std::move(job), workspace, lock);
    } else {
      return;
    }
  }
}

// Leaves the lock while it works.
void Pool::serve_job(Job job, Workspace& workspace, std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const bool expired = job.deadline.passed(clock_.now());
  Analysis analysis;
  if (expired) {
    analysis.error =
        Error{Code::kRequestTimeout, "the text waited for the encoder past its deadline"};
  } else {
    analysis = encoder_.analyze(job.text, job.demand, workspace);
  }
  job.done(std::move(analysis));
  job = {};  // what the callback holds must go before the lock is taken again
  lock.lock();
  ++(expired ? expired_ : completed_);
}

void Pool::Worker::run(const std::function<void(const tensor::Member&)>& work) {
  std::size_t size = 1;
  {
    const std::lock_guard lock(pool_.mutex_);
    // With jobs in the queue the others have better things to do, or are about to.
    if (pool_.queue_.empty()) size += pool_.waiting_ - pool_.calls_.size();
    barrier_.set_members(size);
    for (std::size_t rank = 1; rank < size; ++rank)
      pool_.calls_.push_back({&work, {.rank = rank, .size = size, .barrier = &barrier_}});
  }
  if (size == 1) return work(tensor::Member{});
  pool_.ready_.notify_all();
  const tensor::Member leader{.rank = 0, .size = size, .barrier = &barrier_};
  work(leader);
  leader.wait();
}

std::size_t Pool::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}
std::uint64_t Pool::completed() const {
  const std::lock_guard lock(mutex_);
  return completed_;
}
std::uint64_t Pool::rejected() const {
  const std::lock_guard lock(mutex_);
  return rejected_;
}
std::uint64_t Pool::expired() const {
  const std::lock_guard lock(mutex_);
  return expired_;
}

}  // namespace signalbox::encoder
