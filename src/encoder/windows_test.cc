#include "encoder/windows.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace signalbox::encoder {
namespace {

constexpr WindowLimits kLimits{.whole_max = 510, .window_max = 254, .windows_max = 8};

TEST(Windows, AShortTextIsOneWindow) {
  const auto windows = plan_windows(510, kLimits);
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].count, 510u);
  EXPECT_EQ(plan_windows(0, kLimits).size(), 1u);
}

TEST(Windows, ALongTextKeepsHeadAndTailAndIsCoveredWhileTheWindowsReach) {
  const auto windows = plan_windows(8 * 254, kLimits);
  EXPECT_EQ(windows.size(), 8u);
  EXPECT_EQ(tokens_seen(windows), 8u * 254);
}

TEST(Segments, AShortWindowHasNone) {
  EXPECT_TRUE(plan_segments(71, 48, 8).empty());
  EXPECT_TRUE(plan_segments(512, 0, 8).empty());
}

RC_GTEST_PROP(Segments, CoverAWindowAndBeginAtWholeSteps, ()) {
  const auto size = 8 * *rc::gen::inRange<std::size_t>(2, 12);
  const auto tokens = *rc::gen::inRange<std::size_t>(size + size / 2, 513);
  const auto segments = plan_segments(tokens, size, 8);
  RC_ASSERT(segments.size() >= 2U);
  RC_ASSERT(tokens_seen(segments) == tokens);
  for (const Window& segment : segments) {
    RC_ASSERT(segment.begin % 8 == 0U);
    RC_ASSERT(segment.count <= size + 7);
    const std::size_t end = segment.begin + segment.count;
    RC_ASSERT(end == tokens || end % 8 == 0U);
  }
}

TEST(Windows, AVeryLongTextIsSampledFromHeadToTail) {
  const auto windows = plan_windows(100'000, kLimits);
  ASSERT_EQ(windows.size(), 8u);
  EXPECT_EQ(windows.front().begin, 0u);
  EXPECT_EQ(windows.back().begin + windows.back().count, 100'000u);
  EXPECT_EQ(tokens_seen(windows), 8u * 254);
}

RC_GTEST_PROP(Windows, AreInOrderWithinTheTextAndNeverMoreThanAllowed, (std::uint16_t tokens)) {
  const auto windows = plan_windows(tokens, kLimits);
  RC_ASSERT(!windows.empty() && windows.size() <= kLimits.windows_max);
  RC_ASSERT(windows.front().begin == 0u);
  RC_ASSERT(windows.back().begin + windows.back().count == tokens);
  for (std::size_t i = 1; i < windows.size(); ++i)
    RC_ASSERT(windows[i].begin > windows[i - 1].begin);
  for (std::size_t i = 1; i < windows.size() && windows.size() < kLimits.windows_max; ++i)
    RC_ASSERT(windows[i].begin <= windows[i - 1].begin + windows[i - 1].count);
  const std::size_t reach = kLimits.windows_max * kLimits.window_max;
  RC_ASSERT(tokens_seen(windows) == (tokens <= reach ? tokens : reach));
}

RC_GTEST_PROP(Windows, NeighboursShareTheOverlapWhereTheyReachAcrossTheText,
              (std::uint16_t tokens)) {
  const WindowLimits limits{.whole_max = 510, .window_max = 254, .windows_max = 400, .overlap = 32};
  const auto windows = plan_windows(tokens, limits);
  RC_ASSERT(tokens_seen(windows) == tokens);
  for (std::size_t i = 1; i < windows.size(); ++i)
    RC_ASSERT(windows[i].begin + limits.overlap <= windows[i - 1].begin + windows[i - 1].count);
}

}  // namespace
}  // namespace signalbox::encoder
