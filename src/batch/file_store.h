// Files that clients upload, and those that batches write: one file of content and one of metadata each, in one directory.
// Every file belongs to the client that made it; nobody else sees it.
//
// One thread. Bounded: limits::kStoredFilesMax files, `file_bytes_max` each, `total_bytes_max` together. A process that dies
// leaves whole files or none: metadata is written last, aside, and moved into place; content without metadata is removed at
// the next start.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "config/edge.h"

namespace signalbox::batch {

struct FileInfo {
  std::string id;     // "file-" and 32 hex digits
  std::string owner;  // name of the client's key; empty where there are none
  std::string name;
  std::string purpose;
  std::uint64_t bytes = 0;
  std::int64_t created_at = 0;  // Unix seconds
};

// As OpenAI's API shows it.
std::string file_json(const FileInfo& file);

// A page of a list: newest first, behind the entry `after`.
struct Page {
  std::string after;
  std::size_t limit = 10'000;
  bool ascending = false;
};

class FileStore {
 public:
  // Reads what is there. Errors: kIo with the directory and why.
  static Result<FileStore> open(const config::Files& settings, std::uint64_t seed);

  // Errors: kPayloadTooLarge, kRateLimited (no room for more), kIo.
  Result<FileInfo> create(FileInfo file, std::string_view content);
  // Takes over a file of this directory that somebody else wrote.
  Result<FileInfo> adopt(FileInfo file, const std::string& path);
  // nullptr: none, or of another owner.
  const FileInfo* find(std::string_view owner, std::string_view id) const;
  Result<void> remove(std::string_view owner, std::string_view id);
  // `purpose` empty: all.
  std::vector<const FileInfo*> list(std::string_view owner, std::string_view purpose,
                                    const Page& page) const;
  std::string content_path(std::string_view id) const;
  // At most `bytes_max` bytes from `offset`; empty at the end. Errors: kIo.
  Result<std::string> read(std::string_view id, std::uint64_t offset, std::size_t bytes_max) const;
  const std::string& directory() const { return settings_.directory; }
  std::uint64_t total_bytes() const { return total_bytes_; }

 private:
  FileStore(const config::Files& settings, std::uint64_t seed)
      : settings_(settings), random_(seed) {}
  Result<void> load();
  Result<FileInfo> keep(FileInfo file);
  Result<void> has_room(std::uint64_t bytes) const;

  config::Files settings_;
  Random random_;
  std::map<std::string, FileInfo, std::less<>> files_;
  std::uint64_t total_bytes_ = 0;
};

// Writes a small file aside and moves it into place. Errors: kIo.
Result<void> write_whole(const std::string& path, std::string_view text);

}  // namespace signalbox::batch
