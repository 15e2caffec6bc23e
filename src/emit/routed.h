// Which names Envoy's routes have to know, from the one configuration: what request bodies say after Signalbox has edited
// them, and where each of them is served.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/model.h"

namespace signalbox::emit {

struct RoutedName {
  std::string name;         // value of the model header: a model's upstream name or an adapter
  std::size_t service = 0;  // index into Routed::services
};

// One model's backends.
struct Service {
  std::string name;  // of the model, as a DNS label
  std::vector<config::BackendRef> backends;
};

struct Routed {
  std::vector<Service> services;
  std::vector<RoutedName> names;    // in the order of the file, each once
  std::size_t default_service = 0;  // where the default model is served
  std::string default_name;
};

// `engines` stand in for the backends of models that have none (demo engines). Errors: kConfig, when no model has a
// backend, or the default model is served by none.
Result<Routed> routed(const config::Config& config, const std::vector<config::BackendRef>& engines);

// Lower case, digits and dashes, at most 63 characters, as Kubernetes wants names.
std::string dns_label(std::string_view name);

// As a YAML scalar in double quotes.
std::string quoted(std::string_view text);

}  // namespace signalbox::emit
