#include "encoder/mapped_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace signalbox::encoder {

Result<MappedFile> MappedFile::open(const std::string& path, std::uint64_t bytes_max) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return fail(Code::kIo, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  struct stat status{};
  const bool known = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const auto size = static_cast<std::uint64_t>(known ? status.st_size : 0);
  if (!known || size == 0 || size > bytes_max) {
    ::close(descriptor);
    if (!known) return fail(Code::kIo, fmt::format("{} is not a regular file", path));
    if (size == 0) return fail(Code::kCorrupt, fmt::format("{} is empty", path));
    return fail(Code::kPayloadTooLarge, fmt::format("{} is larger than {} bytes", path, bytes_max));
  }
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  ::close(descriptor);
  if (data == MAP_FAILED)
    return fail(Code::kIo, fmt::format("cannot map {}: {}", path, std::strerror(error)));
  MappedFile file;
  file.data_ = static_cast<const std::byte*>(data);
  file.size_ = size;
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void MappedFile::release_pages() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

}  // namespace signalbox::encoder
