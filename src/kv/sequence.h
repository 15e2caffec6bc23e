// What the numbers on a publisher's batches say: whether one is next, known already, behind a gap, or of a publisher that
// began anew. Pure; one per publisher.
#pragma once

#include <cstdint>
#include <optional>

namespace signalbox::kv {

class Sequence {
 public:
  enum class Verdict : std::uint8_t {
    kNext,     // apply it
    kKnown,    // applied already, from a replay
    kGap,      // batches before it are missing
    kRestart,  // the publisher began anew: what is known of it is void
  };

  // A batch of the live stream, whose numbers grow. The first one ever is next, whatever its number.
  Verdict live(std::uint64_t number) {
    const bool backwards = last_live_ && number <= *last_live_;
    last_live_ = number;
    if (backwards) return Verdict::kRestart;
    if (!expected_ || number == *expected_) return Verdict::kNext;
    return number < *expected_ ? Verdict::kKnown : Verdict::kGap;
  }
  // A replayed batch; kGap: the publisher does not keep what is missing any more.
  Verdict replayed(std::uint64_t number) const {
    if (!expected_ || number == *expected_) return Verdict::kNext;
    return number < *expected_ ? Verdict::kKnown : Verdict::kGap;
  }
  void applied(std::uint64_t number) { expected_ = number + 1; }
  // Number of the next batch, if any was seen.
  std::optional<std::uint64_t> expected() const { return expected_; }
  void forget() {
    expected_.reset();
    last_live_.reset();
  }

 private:
  std::optional<std::uint64_t> expected_;
  std::optional<std::uint64_t> last_live_;
};

}  // namespace signalbox::kv
