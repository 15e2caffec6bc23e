// Latencies in nanoseconds with 1.6 % resolution: 64 buckets to each power of two. Fixed memory, no allocation.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace signalbox::bench {

class Histogram {
 public:
  void add(std::int64_t nanoseconds) {
    const auto value = static_cast<std::uint64_t>(nanoseconds < 0 ? 0 : nanoseconds);
    ++counts_[bucket_of(value)];
    ++total_;
    if (value > max_) max_ = value;
  }

  std::uint64_t total() const { return total_; }
  double max_us() const { return static_cast<double>(max_) / 1000; }

  // The value below which `share` (0..1) of the samples lie; 0 without samples.
  double quantile_us(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen > wanted) return static_cast<double>(middle_of(bucket)) / 1000;
    }
    return max_us();
  }

 private:
  static constexpr unsigned kSubBits = 6;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1U << kSubBits)) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (static_cast<std::size_t>(shift + 1) << kSubBits) +
           ((value >> shift) & ((1U << kSubBits) - 1));
  }

  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < (1U << kSubBits)) return bucket;
    const unsigned shift = static_cast<unsigned>(bucket >> kSubBits) - 1;
    const std::uint64_t low = ((1ULL << kSubBits) + (bucket & ((1U << kSubBits) - 1))) << shift;
    return low + (1ULL << shift) / 2;
  }

  std::array<std::uint64_t, (64 - kSubBits + 1) << kSubBits> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace signalbox::bench
