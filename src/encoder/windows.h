// Which parts of a long text the encoder looks at.
#pragma once

#include <cstddef>
#include <vector>

namespace signalbox::encoder {

struct Window {
  std::size_t begin = 0;  // index of its first token
  std::size_t count = 0;
};

struct WindowLimits {
  std::size_t whole_max = 0;    // texts up to here are one window
  std::size_t window_max = 0;   // tokens of a window of a longer text
  std::size_t windows_max = 0;  // at least 1
  std::size_t overlap = 0;      // least number of tokens neighbours share, below window_max
};

// One window for a short text, also for an empty one. A longer text gets as many equal windows as
// cover it with that overlap, evenly spread; if windows_max do not cover it, windows_max
// evenly spread from head to tail.
std::vector<Window> plan_windows(std::size_t tokens, const WindowLimits& limits);
// Stretches of a window of `tokens` tokens that a head judges beside the whole, so that what surrounds an order does not
// drown it: about `size` tokens each, half of them shared with the next, from head to tail. They begin at multiples of
// `step`. None where the window is hardly longer than one of them, or for size 0.
std::vector<Window> plan_segments(std::size_t tokens, std::size_t size, std::size_t step);
// Tokens in at least one window.
std::size_t tokens_seen(const std::vector<Window>& windows);

}  // namespace signalbox::encoder
