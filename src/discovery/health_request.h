// Small real requests that show whether an engine can do its work, one for each kind of model.
#pragma once

#include <string>
#include <string_view>

namespace signalbox::discovery {

struct HealthRequest {
  std::string path;
  std::string content_type;
  std::string body;
};

// `kind` as in config::BackendRef::health_request; unknown kinds give a chat completion.
HealthRequest health_request(std::string_view kind, std::string_view model);

}  // namespace signalbox::discovery
