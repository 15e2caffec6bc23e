#include "emit/routed.h"

#include <algorithm>

#include "base/text.h"
#include "config/resolve.h"
#include "json/writer.h"

namespace signalbox::emit {
namespace {

constexpr std::size_t kDnsLabelCharsMax = 63;

const std::string& upstream_name(const config::Model& model) {
  return model.provider_model_id.empty() ? model.name : model.provider_model_id;
}

void add_name(Routed& routed, const std::string& name, std::size_t service) {
  const bool known = std::ranges::any_of(
      routed.names, [&](const RoutedName& entry) { return entry.name == name; });
  if (!known) routed.names.push_back({name, service});
}

}  // namespace

std::string dns_label(std::string_view name) {
  std::string label = to_lower(name);
  for (char& c : label) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!plain) c = '-';
  }
  label.erase(0, label.find_first_not_of('-') == std::string::npos ? label.size()
                                                                   : label.find_first_not_of('-'));
  label.resize(std::min(label.size(), kDnsLabelCharsMax));
  while (label.ends_with('-')) label.pop_back();
  return label.empty() ? "model" : label;
}

std::string quoted(std::string_view text) { return json::quote(text); }

Result<Routed> routed(const config::Config& config,
                      const std::vector<config::BackendRef>& engines) {
  Routed routed;
  const auto target = config::resolve_name(config, config.providers.default_model);
  bool default_found = false;
  for (const config::Model& model : config.providers.models) {
    auto backends = model.backends.empty() && model.has_provider ? engines : model.backends;
    std::erase_if(backends, [](const config::BackendRef& backend) { return backend.weight == 0; });
    if (backends.empty()) continue;
    const std::size_t index = routed.services.size();
    routed.services.push_back({dns_label(model.name), std::move(backends)});
    add_name(routed, upstream_name(model), index);
    for (const auto& lora : model.loras) add_name(routed, lora.name, index);
    if (target && target->model == &model) {
      routed.default_service = index;
      routed.default_name = target->adapter.empty() ? upstream_name(model) : target->adapter;
      default_found = true;
    }
  }
  if (routed.services.empty()) {
    return fail(Code::kConfig,
                "no model has a backend: name some under backend_refs, or give --ports-file of a "
                "running demo");
  }
  if (!default_found) {
    return fail(Code::kConfig, "the default model '" + config.providers.default_model +
                                   "' is served by no backend");
  }
  return routed;
}

}  // namespace signalbox::emit
