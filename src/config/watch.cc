#include "config/watch.h"

#include <sys/stat.h>

namespace signalbox::config {

Watcher::Identity Watcher::look() const {
  // stat follows symlinks, so a swap of ConfigMap's ..data link shows as another inode.
  struct stat info{};
  if (::stat(path_.c_str(), &info) != 0) return {};
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  return {.device = static_cast<std::uint64_t>(info.st_dev),
          .inode = static_cast<std::uint64_t>(info.st_ino),
          .size = info.st_size,
          .modified_ns = info.st_mtim.tv_sec * kNanosecondsPerSecond + info.st_mtim.tv_nsec};
}

bool Watcher::changed() {
  const Identity now = look();
  if (now.size < 0 || now == seen_) return false;
  seen_ = now;
  return true;
}

}  // namespace signalbox::config
