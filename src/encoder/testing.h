// For tests only: model files made on the spot, and where the golden ones are.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "encoder/locate.h"

namespace signalbox::encoder::testing {

inline std::string golden_directory() { return SIGNALBOX_SOURCE_DIR "/test/golden/encoder"; }
inline std::string tiny_directory() { return golden_directory() + "/tiny"; }

// What to say when the base model is not there.
inline std::string missing_base(const std::string& directory) {
  return "the base model is not in " + directory +
         "; `./dev build` fetches it, or set SIGNALBOX_ENCODER_DIR";
}

inline std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A safetensors file: tensors are added one after another.
class SafetensorsBuilder {
 public:
  SafetensorsBuilder& add(const std::string& name, const std::string& dtype,
                          const std::string& shape, const std::string& data) {
    header_ += (header_.empty() ? "\"" : ",\"") + name + "\":{\"dtype\":\"" + dtype +
               "\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(data_.size()) +
               "," + std::to_string(data_.size() + data.size()) + "]}";
    data_ += data;
    return *this;
  }
  std::string bytes() const { return with_header("{" + header_ + "}", data_); }
  static std::string with_header(const std::string& header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes + header + data;
  }

 private:
  std::string header_, data_;
};

inline std::string write_file(const std::string& folder, const std::string& name,
                              const std::string& content) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/" + name, std::ios::binary) << content;
  return folder + "/" + name;
}

}  // namespace signalbox::encoder::testing
