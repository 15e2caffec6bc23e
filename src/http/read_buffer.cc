#include "http/read_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace signalbox::http {

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
    auto storage = std::make_unique_for_overwrite<char[]>(capacity);
    if (end_ > 0) std::memcpy(storage.get(), storage_.get(), end_);
    storage_ = std::move(storage);
    capacity_ = capacity;
  }
  return {storage_.get() + end_, capacity_ - end_};
}

void ReadBuffer::release() {
  if (!empty()) return;
  storage_.reset();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace signalbox::http
