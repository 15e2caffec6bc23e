// Notices that a configuration file has changed, by looking: no threads, no inotify (which misses network and ConfigMap
// mounts). A look costs two stat calls; the caller decides how often.
#pragma once

#include <cstdint>
#include <string>

namespace signalbox::config {

class Watcher {
 public:
  explicit Watcher(std::string path) : path_(std::move(path)), seen_(look()) {}
  // True once per change of the content's identity: another file behind the path (an editor's rename, a ConfigMap's
  // symlink swap), another size, or another modification time. A missing file is no change: it will come back.
  bool changed();

 private:
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;  // -1: missing
    std::int64_t modified_ns = 0;
    bool operator==(const Identity&) const = default;
  };
  Identity look() const;

  std::string path_;
  Identity seen_;
};

}  // namespace signalbox::config
