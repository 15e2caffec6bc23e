#include <array>
#include <cstdlib>
#include <new>

#include "base/sanitizer.h"
#include "net/task.h"

namespace signalbox::net {

#ifdef SBX_SANITIZED  // so that use after the end of a coroutine is found

void* allocate_frame(std::size_t size) { return ::operator new(size); }
void release_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }

#else

namespace {

constexpr std::size_t kClassBytes = 128;
constexpr std::size_t kClasses = 32;          // frames up to 4 KiB are pooled
constexpr std::size_t kFreeFramesMax = 1024;  // per class and thread

struct FreeFrame {
  FreeFrame* next;
};

struct FreeList {
  FreeFrame* first = nullptr;
  std::size_t count = 0;
};

struct Pool {
  std::array<FreeList, kClasses> lists;
  ~Pool() {
    for (auto& list : lists) {
      while (FreeFrame* frame = list.first) {
        list.first = frame->next;
        ::operator delete(frame);
      }
      list.count =
          kFreeFramesMax;  // frames released after thread exit go straight to the allocator
    }
  }
};

Pool& pool() {
  thread_local Pool instance;  // tidy: allow(hidden-state) one free list a thread, bounded
  return instance;
}

std::size_t size_class(std::size_t size) { return (size + kClassBytes - 1) / kClassBytes - 1; }

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = size_class(size);
  if (index >= kClasses) return ::operator new(size);
  FreeList& list = pool().lists[index];
  if (FreeFrame* frame = list.first) {
    list.first = frame->next;
    --list.count;
    return frame;
  }
  return ::operator new((index + 1) * kClassBytes);
}

void release_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = size_class(size);
  if (index < kClasses) {
    FreeList& list = pool().lists[index];
    if (list.count < kFreeFramesMax) {
      list.first = new (frame) FreeFrame{list.first};
      ++list.count;
      return;
    }
  }
  ::operator delete(frame);
}

#endif

}  // namespace signalbox::net
