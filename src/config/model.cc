#include "config/model.h"

#include <fmt/core.h>

namespace signalbox::config {

std::string BackendRef::url() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}{}", scheme, v6 ? "[" : "", host, v6 ? "]" : "", port,
                     base_path);
}

const Model* Config::find_model(std::string_view name) const {
  for (const auto& model : providers.models) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

}  // namespace signalbox::config
