#include "encoder/pool.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace signalbox::encoder {

Pool::Pool(const Encoder& encoder, int threads, const Clock& clock)
    : encoder_(encoder), clock_(clock) {
  for (int i = 0; i < std::max(threads, 1); ++i) threads_.emplace_back([this] { work(); });
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

void Pool::work() {
  Workspace workspace;
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
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
