// Bytes received and not yet used, of one connection. Storage is taken when bytes come and given back when they are used
// and the next have to be waited for, so that a thousand connections that wait cost nothing. Not thread-safe; lives with
// its connection.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/limits.h"
#include "net/stream.h"

namespace signalbox::http {

class ReadBuffer final : public net::ReadSpace {
 public:
  ReadBuffer() = default;
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer();

  std::string_view data() const { return {storage_.get() + begin_, end_ - begin_}; }
  std::span<char> bytes() { return {storage_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  // Drops bytes from the front. They stay readable until room() or release() is called, as a read does.
  void consume(std::size_t count);
  // Space for the next read, never empty. Moves what is unread to the front when the end is reached. Starts small, grows
  // when a read has filled it or a head is larger; at most kReadBufferBytesMax, which heads never reach (kHeadBytesMax).
  std::span<char> room() override;
  // After a read into room().
  void commit(std::size_t count) { end_ += count; }
  // Gives the storage back if nothing is unread. Once grown to the size of relayed bodies, the next is that large too.
  void release() override;

 private:
  void grow(std::size_t capacity);
  // Gives the storage to this thread's free list if it is of a usual size, else back to the allocator.
  void drop();

  std::unique_ptr<char[]> storage_;
  std::size_t first_capacity_ = limits::kFirstReadBufferBytes;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace signalbox::http
