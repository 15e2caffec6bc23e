#include "batch/file_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/limits.h"
#include "json/document.h"
#include "json/writer.h"

namespace signalbox::batch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMetadata = ".json";
constexpr std::uint64_t kMetadataBytesMax = 64 << 10;

std::string text_member(json::Value object, std::string_view key) {
  const auto found = object.find(key);
  return found && *found && (*found)->is_string() ? (*found)->string() : std::string();
}
std::int64_t number_member(json::Value object, std::string_view key) {
  const auto found = object.find(key);
  return found && *found ? (*found)->integer().value_or(0) : 0;
}

std::string metadata_json(const FileInfo& file) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("id").string(file.id).key("owner").string(file.owner);
  out.key("name").string(file.name).key("purpose").string(file.purpose);
  out.key("bytes").integer(static_cast<std::int64_t>(file.bytes));
  out.key("created_at").integer(file.created_at).end_object();
  return text;
}

std::optional<FileInfo> read_metadata(const std::string& path) {
  const auto text = read_file(path, kMetadataBytesMax);
  if (!text) return std::nullopt;
  const auto document = json::Document::parse(*text);
  if (!document) return std::nullopt;
  const json::Value root = document->root();
  FileInfo file;
  file.id = text_member(root, "id");
  file.owner = text_member(root, "owner");
  file.name = text_member(root, "name");
  file.purpose = text_member(root, "purpose");
  file.bytes = static_cast<std::uint64_t>(number_member(root, "bytes"));
  file.created_at = number_member(root, "created_at");
  if (file.id.empty()) return std::nullopt;
  return file;
}

}  // namespace

Result<void> write_whole(const std::string& path, std::string_view text) {
  const std::string aside = path + ".new";
  std::ofstream file(aside, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file || std::rename(aside.c_str(), path.c_str()) != 0) {
    std::remove(aside.c_str());
    return fail(Code::kIo, fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }
  return {};
}

std::string file_json(const FileInfo& file) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("id").string(file.id).key("object").string("file");
  out.key("bytes").integer(static_cast<std::int64_t>(file.bytes));
  out.key("created_at").integer(file.created_at).key("filename").string(file.name);
  out.key("purpose").string(file.purpose).key("status").string("processed").end_object();
  return text;
}

Result<FileStore> FileStore::open(const config::Files& settings, std::uint64_t seed) {
  FileStore store(settings, seed);
  SBX_CHECK_OK(store.load());
  return store;
}

Result<void> FileStore::load() {
  std::error_code error;
  fs::create_directories(settings_.directory, error);
  if (error) {
    return fail(Code::kIo, fmt::format("cannot use {} for files: {}; create it or name another "
                                       "directory",
                                       settings_.directory, error.message()));
  }
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(settings_.directory, error)) {
    if (entry.is_regular_file(error) && entry.path().filename().string().starts_with("file-"))
      found.push_back(entry.path());
  }
  for (const fs::path& path : found) {
    if (path.extension() != kMetadata) continue;
    auto file = read_metadata(path.string());
    if (!file || !fs::exists(content_path(file->id), error)) continue;
    total_bytes_ += file->bytes;
    files_.emplace(file->id, *std::move(file));
  }
  // What a process left half done when it died.
  for (const fs::path& path : found) {
    const std::string name = path.filename().string();
    const std::string id = name.substr(0, name.find('.'));
    if (files_.find(id) == files_.end()) fs::remove(path, error);
  }
  return {};
}

Result<void> FileStore::has_room(std::uint64_t bytes) const {
  if (bytes > settings_.file_bytes_max) {
    return fail(Code::kPayloadTooLarge,
                fmt::format("files may have at most {} bytes", settings_.file_bytes_max), "file");
  }
  if (files_.size() >= limits::kStoredFilesMax ||
      total_bytes_ + bytes > settings_.total_bytes_max) {
    return fail(Code::kRateLimited, "there is no room for more files; delete some", "file");
  }
  return {};
}

Result<FileInfo> FileStore::create(FileInfo file, std::string_view content) {
  SBX_CHECK_OK(has_room(content.size()));
  file.id = "file-" + random_hex(random_, 2);
  file.bytes = content.size();
  SBX_CHECK_OK(write_whole(content_path(file.id), content));
  return keep(std::move(file));
}

Result<FileInfo> FileStore::adopt(FileInfo file, const std::string& path) {
  std::error_code error;
  file.bytes = fs::file_size(path, error);
  if (error) return fail(Code::kIo, fmt::format("cannot read {}: {}", path, error.message()));
  file.id = "file-" + random_hex(random_, 2);
  fs::rename(path, content_path(file.id), error);
  if (error) return fail(Code::kIo, fmt::format("cannot move {}: {}", path, error.message()));
  return keep(std::move(file));
}

Result<FileInfo> FileStore::keep(FileInfo file) {
  file.created_at = std::chrono::floor<std::chrono::seconds>(system_clock().unix_time()).count();
  const std::string path = content_path(file.id);
  if (auto written = write_whole(path + std::string(kMetadata), metadata_json(file)); !written) {
    std::remove(path.c_str());
    return std::unexpected(std::move(written).error());
  }
  total_bytes_ += file.bytes;
  files_.emplace(file.id, file);
  return file;
}

const FileInfo* FileStore::find(std::string_view owner, std::string_view id) const {
  const auto at = files_.find(id);
  return at == files_.end() || at->second.owner != owner ? nullptr : &at->second;
}

Result<void> FileStore::remove(std::string_view owner, std::string_view id) {
  const FileInfo* file = find(owner, id);
  if (file == nullptr) return fail(Code::kNotFound, "no such file", "file_id");
  const std::string path = content_path(id);
  std::remove((path + std::string(kMetadata)).c_str());
  std::remove(path.c_str());
  total_bytes_ -= file->bytes;
  files_.erase(files_.find(id));
  return {};
}

std::vector<const FileInfo*> FileStore::list(std::string_view owner, std::string_view purpose,
                                             const Page& page) const {
  std::vector<const FileInfo*> all;
  for (const auto& [id, file] : files_) {
    if (file.owner == owner && (purpose.empty() || file.purpose == purpose)) all.push_back(&file);
  }
  std::ranges::sort(all, [&](const FileInfo* a, const FileInfo* b) {
    const auto key = [](const FileInfo* file) { return std::pair(file->created_at, file->id); };
    return page.ascending ? key(a) < key(b) : key(b) < key(a);
  });
  if (!page.after.empty()) {
    const auto at = std::ranges::find(all, page.after, &FileInfo::id);
    all.erase(all.begin(), at == all.end() ? all.end() : at + 1);
  }
  return all;
}

// Ids come from clients; only ours have this form, so no path can be built from anything else.
std::string FileStore::content_path(std::string_view id) const {
  return fmt::format("{}/{}", settings_.directory, id);
}

Result<std::string> FileStore::read(std::string_view id, std::uint64_t offset,
                                    std::size_t bytes_max) const {
  std::ifstream file(content_path(id), std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  if (!file) return fail(Code::kIo, "the file cannot be read");
  std::string piece(bytes_max, '\0');
  file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
  piece.resize(static_cast<std::size_t>(file.gcount()));
  return piece;
}

}  // namespace signalbox::batch
