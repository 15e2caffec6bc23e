// Bytes received and not yet used, of one connection. Storage is taken on first use and can be given back while the
// connection is idle, so that a thousand idle connections cost nothing. Not thread-safe; lives with its connection.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/limits.h"

namespace signalbox::http {

class ReadBuffer {
 public:
  ReadBuffer() = default;
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer();

  std::string_view data() const { return {storage_.get() + begin_, end_ - begin_}; }
  std::span<char> bytes() { return {storage_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  // Drops bytes from the front. They stay readable until room() is called.
  void consume(std::size_t count);
  // Space for the next read, never empty. Moves what is unread to the front when the end is reached. Starts small, grows
  // when a read has filled it or a head is larger; at most kReadBufferBytesMax, which heads never reach (kHeadBytesMax).
  std::span<char> room();
  // After a read into room().
  void commit(std::size_t count) { end_ += count; }
  // Gives the storage back if nothing is unread.
  void release();

 private:
  void grow(std::size_t capacity);
  // Gives the storage to this thread's free list if it is of a usual size, else back to the allocator.
  void drop();

  std::unique_ptr<char[]> storage_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace signalbox::http
