#include "config/engine_list.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/finding.h"
#include "config/tables/endpoint.h"
#include "config/yaml/tree.h"

namespace signalbox::config {
namespace {

constexpr std::array<std::string_view, 6> kKeys = {"url",    "models",   "label",
                                                   "weight", "draining", "name"};

std::unexpected<Error> wrong(const std::string& file, Mark mark, std::string key,
                             std::string message, std::string remedy) {
  const Finding finding{Severity::kError,   "bad-engine",     file,
                        mark.line,          mark.column,      std::move(key),
                        std::move(message), std::move(remedy)};
  return fail(Code::kConfig, to_text(finding));
}

Result<ListedEngine> read_engine(const Node& written, const std::string& file,
                                 const std::string& path) {
  ListedEngine engine;
  for (const auto& entry : written.entries) {
    if (std::ranges::find(kKeys, entry.key) != kKeys.end()) continue;
    const auto meant = did_you_mean(entry.key, kKeys);
    return wrong(file, entry.mark, path + "." + entry.key, "unknown key",
                 meant ? fmt::format("did you mean {}?", *meant)
                       : "known are url, models, label, weight, draining, name");
  }
  const std::string_view url = written.is_scalar() ? written.scalar : written.text("url");
  const auto address = parse_address(url);
  if (!address || address->scheme.empty()) {
    return wrong(file, written.mark, path + ".url", fmt::format("'{}' is not a URL", url),
                 "write http://host:port, IPv6 in brackets");
  }
  BackendRef& backend = engine.backend;
  backend.scheme = address->scheme;
  backend.host = address->host;
  backend.port = address->port != 0 ? address->port : backend.scheme == "https" ? 443 : 80;
  backend.base_path = address->path;
  backend.name = written.text("name");
  backend.label = written.text("label");
  backend.draining = written.text("draining") == "true";
  if (const auto weight = written.text("weight"); !weight.empty()) {
    const auto number = parse_uint(weight);
    if (!number || *number > 1'000'000) {
      return wrong(file, written.mark, path + ".weight", fmt::format("'{}' is no weight", weight),
                   "give a whole number up to 1000000; 0 takes no traffic");
    }
    backend.weight = static_cast<int>(*number);
  }
  if (const Node* models = written.find("models")) {
    if (models->is_scalar()) engine.models.push_back(models->scalar);
    for (const Node& model : models->items) engine.models.push_back(model.scalar);
  }
  return engine;
}

}  // namespace

Result<std::vector<ListedEngine>> read_engine_list(std::string_view text,
                                                   const std::string& file_name) {
  const auto tree = parse_tree(text);
  if (!tree) {
    return wrong(file_name, tree.error().mark, {}, tree.error().message, tree.error().remedy);
  }
  const auto* entry = tree->entry("engines");
  if (entry == nullptr || !(entry->value.is_sequence() || entry->value.is_null())) {
    return wrong(file_name, tree->mark, "engines", "the list is missing",
                 "write engines: [{url: http://host:port}]");
  }
  if (entry->value.items.size() > limits::kDiscoveredEnginesMax) {
    return fail(Code::kPayloadTooLarge, fmt::format("{} lists more than {} engines", file_name,
                                                    limits::kDiscoveredEnginesMax));
  }
  std::vector<ListedEngine> engines;
  for (std::size_t i = 0; i < entry->value.items.size(); ++i) {
    SBX_TRY(auto engine,
            read_engine(entry->value.items[i], file_name, fmt::format("engines[{}]", i)));
    engines.push_back(std::move(engine));
  }
  return engines;
}

}  // namespace signalbox::config
