#include "discovery/served_models.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "json/document.h"

namespace signalbox::discovery {
namespace {

std::string string_member(json::Value object, std::string_view key) {
  const auto found = object.find(key);
  if (!found || !*found || !(*found)->is_string()) return {};
  return (*found)->string();
}

}  // namespace

bool ServedModels::has(std::string_view name) const {
  const auto at = std::lower_bound(
      models.begin(), models.end(), name,
      [](const ServedModel& model, std::string_view wanted) { return model.name < wanted; });
  return at != models.end() && at->name == name;
}

Result<ServedModels> parse_served_models(std::string_view body) {
  const auto document = json::Document::parse(body);
  if (!document)
    return fail(Code::kUpstreamProtocol,
                "the engine's model list is not JSON: " + document.error().message);
  const auto data = document->root().find("data");
  if (!data || !*data || !(*data)->is_array()) {
    return fail(Code::kUpstreamProtocol, "the engine's model list has no array \"data\"");
  }
  ServedModels served;
  for (const json::Value entry : (*data)->elements()) {
    if (served.models.size() == limits::kServedModelsMax) break;
    ServedModel model{string_member(entry, "id"), string_member(entry, "parent"), {}};
    if (entry.raw().size() <= limits::kModelCardBytesMax) model.card = std::string(entry.raw());
    if (!model.name.empty()) served.models.push_back(std::move(model));
  }
  std::sort(served.models.begin(), served.models.end(),
            [](const ServedModel& a, const ServedModel& b) { return a.name < b.name; });
  return served;
}

}  // namespace signalbox::discovery
