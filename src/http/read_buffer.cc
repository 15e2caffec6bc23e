#include "http/read_buffer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/sanitizer.h"

namespace signalbox::http {
namespace {

// A request takes and gives back two buffers of the usual size, and malloc answers each such free with a walk over its
// lists; so each thread keeps some. Not under sanitizers, which must see every buffer come and go.
constexpr std::size_t kKeptBuffersMax = 64;

class KeptBuffers {
 public:
  ~KeptBuffers() {
    count_ = buffers_.size();
  }  // what comes back after the thread's end is not kept
  std::unique_ptr<char[]> take() {
    if (count_ == 0) return std::make_unique_for_overwrite<char[]>(limits::kRelayBufferBytes);
    return std::move(buffers_[--count_]);
  }
  void keep([[maybe_unused]] std::unique_ptr<char[]> buffer) {
#ifndef SBX_SANITIZED
    if (count_ < buffers_.size()) buffers_[count_++] = std::move(buffer);
#endif
  }

 private:
  std::array<std::unique_ptr<char[]>, kKeptBuffersMax> buffers_;
  std::size_t count_ = 0;
};

KeptBuffers& kept_buffers() {
  thread_local KeptBuffers kept;  // tidy: allow(hidden-state) one free list a thread, bounded
  return kept;
}

}  // namespace

ReadBuffer::~ReadBuffer() { drop(); }

void ReadBuffer::drop() {
  if (capacity_ == limits::kRelayBufferBytes) kept_buffers().keep(std::move(storage_));
  storage_.reset();
}

void ReadBuffer::consume(std::size_t count) {
  SBX_ASSERT(count <= size());
  begin_ += count;
}

std::span<char> ReadBuffer::room() {
  if (empty()) begin_ = end_ = 0;
  if (end_ == capacity_ && begin_ > 0) {
    std::memmove(storage_.get(), storage_.get() + begin_, size());
    end_ = size();
    begin_ = 0;
  }
  if (end_ == capacity_) {
    const std::size_t capacity = std::max(limits::kRelayBufferBytes, 2 * capacity_);
    SBX_ASSERT(capacity <= limits::kReadBufferBytesMax);
    auto storage = capacity == limits::kRelayBufferBytes
                       ? kept_buffers().take()
                       : std::make_unique_for_overwrite<char[]>(capacity);
    if (end_ > 0) std::memcpy(storage.get(), storage_.get(), end_);
    drop();
    storage_ = std::move(storage);
    capacity_ = capacity;
  }
  return {storage_.get() + end_, capacity_ - end_};
}

void ReadBuffer::release() {
  if (!empty()) return;
  drop();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace signalbox::http
