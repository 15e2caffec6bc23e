// Floats on a cache-line boundary, for kernels. Grows, never shrinks; growing discards the content.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace signalbox::tensor {

class Buffer {
 public:
  // Room for `count` floats of any value.
  void resize(std::size_t count) {
    if (count <= count_) return;
    constexpr std::size_t kLine = 64;
    const std::size_t bytes = (count * sizeof(float) + kLine - 1) / kLine * kLine;
    data_.reset(static_cast<float*>(std::aligned_alloc(kLine, bytes)));
    if (data_ == nullptr) throw std::bad_alloc();  // tidy: allow(throw) as operator new does
    count_ = count;
  }
  void resize_zeroed(std::size_t count) {
    resize(count);
    if (count > 0) std::memset(data_.get(), 0, count * sizeof(float));
  }
  // As resize, but what is new is zero. True when it grew (and the content was discarded).
  bool grow_zeroed(std::size_t count) {
    if (count <= count_) return false;
    resize_zeroed(count);
    return true;
  }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* data) const { std::free(data); }  // tidy: allow(malloc) of aligned_alloc
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t count_ = 0;
};

}  // namespace signalbox::tensor
