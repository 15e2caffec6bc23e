// How well entities agree with a labelled text: exact spans first, overlapping ones beside them.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "pii/entity.h"

namespace signalbox::pii {

// What a labelled file may call our types: our own names, and LOCATION (or LOC) for places and
// addresses together, ORG, DATE, EMAIL, PHONE, SSN, IP, URL and the like.
enum class Label : std::uint8_t {};
inline constexpr std::size_t kLabels = kTypes + 1;  // our types, then LOCATION
std::string_view label_name(Label label);
std::optional<Label> parse_label(std::string_view name);
constexpr Label label_of(Type type) { return static_cast<Label>(type); }

struct Marked {
  std::size_t begin = 0;  // code points, end exclusive
  std::size_t end = 0;
  Label label{};
};

struct Counts {
  std::size_t right = 0, wrong = 0, missed = 0;
  double precision() const;  // 0 when nothing was found
  double recall() const;     // 0 without support
  double f1() const;
  std::size_t support() const { return right + missed; }
};

// Adds up over texts. Each marked span is matched by one found span at most, of the same label: the
// same place, or, for overlap, any common character.
class SpanScore {
 public:
  // Only these labels count, on both sides; all when never called. With LOCATION among them, found
  // places and addresses count as that unless their own label is there too.
  void count_only(const std::vector<Label>& labels);
  void add(const std::vector<Marked>& gold, const std::vector<Marked>& found);

  const Counts& exact(Label label) const { return exact_[static_cast<std::size_t>(label)]; }
  const Counts& overlap(Label label) const { return overlap_[static_cast<std::size_t>(label)]; }
  Counts exact() const;
  Counts overlap() const;

 private:
  bool counts(Label label) const { return counted_[static_cast<std::size_t>(label)]; }
  Label as_counted(Label label) const;

  std::array<bool, kLabels> counted_ = [] {
    std::array<bool, kLabels> all{};
    all.fill(true);
    return all;
  }();
  bool limited_ = false;
  std::array<Counts, kLabels> exact_{}, overlap_{};
};

}  // namespace signalbox::pii
