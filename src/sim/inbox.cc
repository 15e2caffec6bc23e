#include "sim/inbox.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace signalbox::sim {
namespace {

constexpr std::size_t kReadBytes = 16 << 10;
// A head must fit; a client that pipelines more than that is not read until it was answered.
constexpr std::size_t kBufferBytesMax = limits::kHeadBytesMax + 2 * kReadBytes;

}  // namespace

void Inbox::read_ahead(Deadline deadline) {
  if (reading_ || ended_) return;
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0 && buffer_.size() - end_ < kReadBytes) {
    buffer_.erase(0, begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ + kReadBytes > kBufferBytesMax) return;
  if (buffer_.size() < end_ + kReadBytes) buffer_.resize(end_ + kReadBytes);
  reading_ = true;
  space_ = net::FixedSpace(std::span(buffer_).subspan(end_));
  stream_.start_read(space_, deadline, *this);
}

void Inbox::complete(Result<std::size_t> result) {
  reading_ = false;
  if (result && *result > 0) {
    end_ += *result;
  } else {
    ended_ = true;
  }
  // Both may destroy this object; nothing is touched afterwards.
  if (auto handle = std::exchange(waiting_, {})) {
    handle.resume();
  } else if (ended_ && watcher_ != nullptr) {
    std::exchange(watcher_, nullptr)->client_left();
  }
}

}  // namespace signalbox::sim
