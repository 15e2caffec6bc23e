// Hosted providers of --external-providers-config.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "config/router/convert.h"
#include "config/tables/endpoint.h"
#include "config/yaml/tree.h"

namespace signalbox::config {
namespace {

constexpr int kRetriesMax = 5;

class ProviderReader {
 public:
  ProviderReader(const std::string& file, const Environment& environment, Config& config)
      : file_(file), environment_(environment), config_(config) {}

  Result<void> read(const Node& provider, const std::string& path) {
    const std::string name(provider.text("name"));
    if (name.empty()) return wrong(provider.mark, path + ".name", "is missing", "add a name");
    const std::string_view type = provider.text("type");
    if (!type.empty() && type != "openai") {
      return wrong(provider.mark, path + ".type", fmt::format("'{}' is no type", type),
                   "use openai");
    }
    SBX_TRY(const BackendRef backend, backend_of(provider, name, path));
    const Node* models = provider.find("models");
    if (models == nullptr || !models->is_sequence()) {
      return wrong(provider.mark, path + ".models", "is no list", "list the models: - id: NAME");
    }
    for (std::size_t i = 0; i < models->items.size(); ++i) {
      SBX_CHECK_OK(
          add_model(models->items[i], provider, backend, fmt::format("{}.models[{}]", path, i)));
    }
    return {};
  }

 private:
  std::unexpected<Error> wrong(Mark mark, std::string key, std::string message,
                               std::string remedy) const {
    const Finding finding{Severity::kError,   "bad-key",        file_,
                          mark.line,          mark.column,      std::move(key),
                          std::move(message), std::move(remedy)};
    return fail(Code::kConfig, to_text(finding));
  }

  Result<BackendRef> backend_of(const Node& provider, const std::string& name,
                                const std::string& path) const {
    auto address = parse_address(provider.text("api_base"));
    if (!address || address->scheme.empty()) {
      return wrong(provider.mark, path + ".api_base", "is not a URL", "write https://host/v1");
    }
    BackendRef backend;
    backend.name = name;
    backend.provider = "openai";
    backend.scheme = address->scheme;
    backend.host = address->host;
    backend.port = address->port != 0 ? address->port : backend.scheme == "https" ? 443 : 80;
    backend.base_path = address->path;
    if (backend.base_path.ends_with("/v1")) backend.base_path.resize(backend.base_path.size() - 3);
    backend.auth_header = "Authorization";
    backend.auth_prefix = "Bearer";
    backend.api_key_env = provider.text("api_key_env_var");
    if (backend.api_key_env.empty()) backend.api_key_env = "OPENAI_API_KEY";
    backend.api_key = Secret(environment_(backend.api_key_env).value_or(""));
    // Without a key of the provider's the client's own would go out to a stranger.
    if (backend.api_key.empty()) {
      return wrong(provider.mark, path + ".api_key_env_var",
                   fmt::format("variable {} is not set", backend.api_key_env), "set it");
    }
    if (const Node* headers = provider.find("custom_headers")) {
      for (const auto& header : headers->entries)
        backend.extra_headers.emplace_back(header.key, header.value.scalar);
    }
    return backend;
  }

  Result<void> add_model(const Node& written, const Node& provider, const BackendRef& backend,
                         const std::string& path) {
    const std::string id(written.is_scalar() ? std::string_view(written.scalar)
                                             : written.text("id"));
    if (id.empty()) return wrong(written.mark, path + ".id", "is missing", "name the model");
    if (config_.find_model(id) != nullptr) {
      return wrong(written.mark, path, fmt::format("model '{}' is there already", id),
                   "keep one of them");
    }
    Model model;
    model.name = id;
    model.has_provider = true;
    model.backends = {backend};
    if (const auto retries = parse_uint(provider.text("max_retries")))
      model.reliability.retry_count =
          static_cast<int>(std::min<std::uint64_t>(*retries, kRetriesMax));
    config_.providers.models.push_back(std::move(model));
    if (const Node* aliases = written.find("aliases")) {
      for (const Node& alias : aliases->items) config_.providers.aliases[alias.scalar] = id;
    }
    return {};
  }

  const std::string& file_;
  const Environment& environment_;
  Config& config_;
};

}  // namespace

Result<void> add_external_providers(std::string_view text, const std::string& file_name,
                                    const Environment& environment, Config& config) {
  const auto tree = parse_tree(text);
  const auto* list = tree ? tree->find("external_providers") : nullptr;
  if (!tree || list == nullptr || !list->is_sequence()) {
    const Mark mark = tree ? tree->mark : tree.error().mark;
    const Finding finding{
        Severity::kError,
        "bad-yaml",
        file_name,
        mark.line,
        mark.column,
        "external_providers",
        tree ? "the list is missing" : tree.error().message,
        tree ? "write external_providers: [{name, api_base, models}]" : tree.error().remedy};
    return fail(Code::kConfig, to_text(finding));
  }
  ProviderReader reader(file_name, environment, config);
  for (std::size_t i = 0; i < list->items.size(); ++i)
    SBX_CHECK_OK(reader.read(list->items[i], fmt::format("external_providers[{}]", i)));
  return {};
}

}  // namespace signalbox::config
