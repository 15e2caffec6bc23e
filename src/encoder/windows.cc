#include "encoder/windows.h"

#include <algorithm>

namespace signalbox::encoder {

std::vector<Window> plan_windows(std::size_t tokens, const WindowLimits& limits) {
  if (tokens <= limits.whole_max) return {{0, tokens}};
  const std::size_t size = std::min(limits.window_max, tokens);
  const std::size_t overlap = std::min(limits.overlap, size - 1);
  const std::size_t fresh = size - overlap;  // what each window after the first adds
  const std::size_t needed = 1 + (tokens - size + fresh - 1) / fresh;
  const std::size_t count = std::clamp<std::size_t>(needed, 1, limits.windows_max);
  std::vector<Window> windows;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = count == 1 ? 0 : (tokens - size) * i / (count - 1);
    windows.push_back({begin, size});
  }
  return windows;
}

std::vector<Window> plan_segments(std::size_t tokens, std::size_t size, std::size_t step) {
  if (size < 2 * step || tokens < size + size / 2) return {};
  const std::size_t count = 1 + (tokens - size + size / 2 - 1) / (size / 2);
  std::vector<Window> segments;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = (tokens - size) * i / (count - 1) / step * step;
    const std::size_t end =
        i + 1 == count ? tokens : std::min(tokens, (begin + size) / step * step);
    segments.push_back({begin, end - begin});
  }
  return segments;
}

std::size_t tokens_seen(const std::vector<Window>& windows) {
  std::size_t seen = 0, end = 0;
  for (const Window& window : windows) {
    const std::size_t begin = std::max(window.begin, end);
    end = window.begin + window.count;
    seen += end - begin;
  }
  return seen;
}

}  // namespace signalbox::encoder
