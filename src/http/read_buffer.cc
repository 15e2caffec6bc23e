#include "http/read_buffer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "base/assert.h"
#include "base/sanitizer.h"

namespace signalbox::http {
namespace {

// A request takes and gives back two buffers of a usual size, and malloc answers each such free with a walk over its
// lists; so each thread keeps some. Not under sanitizers, which must see every buffer come and go.
template <std::size_t kBytes, std::size_t kKeptMax>
class KeptBuffers {
 public:
  ~KeptBuffers() {
    count_ = buffers_.size();
  }  // what comes back after the thread's end is not kept
  std::unique_ptr<char[]> take() {
    if (count_ == 0) return std::make_unique_for_overwrite<char[]>(kBytes);
    return std::move(buffers_[--count_]);
  }
  void keep([[maybe_unused]] std::unique_ptr<char[]> buffer) {
#ifndef SBX_SANITIZED
    if (count_ < buffers_.size()) buffers_[count_++] = std::move(buffer);
#endif
  }

 private:
  std::array<std::unique_ptr<char[]>, kKeptMax> buffers_;
  std::size_t count_ = 0;
};

struct Kept {
  KeptBuffers<limits::kFirstReadBufferBytes, 256> first;
  KeptBuffers<limits::kRelayBufferBytes, 32> large;
};

Kept& kept_buffers() {
  thread_local Kept kept;  // tidy: allow(hidden-state) two free lists a thread, bounded
  return kept;
}

std::unique_ptr<char[]> storage_of(std::size_t capacity) {
  if (capacity == limits::kFirstReadBufferBytes) return kept_buffers().first.take();
  if (capacity == limits::kRelayBufferBytes) return kept_buffers().large.take();
  return std::make_unique_for_overwrite<char[]>(capacity);
}

}  // namespace

ReadBuffer::~ReadBuffer() { drop(); }

void ReadBuffer::drop() {
  if (capacity_ == limits::kFirstReadBufferBytes) kept_buffers().first.keep(std::move(storage_));
  if (capacity_ == limits::kRelayBufferBytes) kept_buffers().large.keep(std::move(storage_));
  storage_.reset();
}

void ReadBuffer::grow(std::size_t capacity) {
  SBX_ASSERT(capacity <= limits::kReadBufferBytesMax);
  auto storage = storage_of(capacity);
  const std::size_t unread = size();
  if (unread > 0) std::memcpy(storage.get(), storage_.get() + begin_, unread);
  drop();
  storage_ = std::move(storage);
  capacity_ = capacity;
  begin_ = 0;
  end_ = unread;
}

void ReadBuffer::consume(std::size_t count) {
  SBX_ASSERT(count <= size());
  begin_ += count;
}

std::span<char> ReadBuffer::room() {
  if (capacity_ == 0) {
    grow(first_capacity_);
  } else if (end_ == capacity_) {
    // Full: more is likely to come than fits a small one.
    if (capacity_ < limits::kRelayBufferBytes) {
      first_capacity_ = limits::kRelayBufferBytes;
      grow(first_capacity_);
    } else if (begin_ == 0) {
      grow(2 * capacity_);
    } else if (!empty()) {
      std::memmove(storage_.get(), storage_.get() + begin_, size());
      end_ = size();
      begin_ = 0;
    }
  }
  if (empty()) begin_ = end_ = 0;
  return {storage_.get() + end_, capacity_ - end_};
}

void ReadBuffer::release() {
  if (!empty() || capacity_ == 0) return;
  drop();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace signalbox::http
