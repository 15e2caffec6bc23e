// A read-only file in memory by mmap: only pages that are touched count. If another process
// shortens the file while it is mapped, touching the lost part ends this process (SIGBUS); replace
// model files by rename, as installers do.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"

namespace signalbox::encoder {

class MappedFile {
 public:
  MappedFile() = default;
  // Errors: kIo (missing, not a regular file), kCorrupt (empty), kPayloadTooLarge.
  static Result<MappedFile> open(const std::string& path, std::uint64_t bytes_max);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Tells the kernel that the pages may leave memory; they come back from the file when touched.
  void release_pages() const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace signalbox::encoder
