#include "config/legacy/models.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "config/legacy/flat.h"

namespace signalbox::config {
namespace {

constexpr std::array<std::string_view, 5> kProviderKeys = {
    "reasoning_family", "pricing", "reliability", "api_format", "external_model_ids"};
constexpr std::array<std::string_view, 8> kCardKeys = {
    "param_size", "context_window_size", "description", "capabilities", "tags",
    "loras",      "quality_score",       "modality"};
constexpr std::array<std::string_view, 5> kOtherKeys = {"preferred_endpoints", "access_key",
                                                        "pii_policy", "image_gen_backend", "name"};
constexpr std::array<std::string_view, 7> kProfileKeys = {
    "base_url", "auth_header", "auth_prefix", "extra_headers", "api_version", "chat_path", "type"};
constexpr std::array<std::string_view, 10> kEndpointKeys = {
    "name",    "address",          "port",  "weight", "type",
    "api_key", "provider_profile", "model", "models", "protocol"};

template <std::size_t N>
bool among(const std::array<std::string_view, N>& keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

void move_keys(Node& from, Node& to, std::span<const std::string_view> keys,
               std::string_view origin) {
  for (const auto key : keys) {
    const auto found = std::ranges::find(from.entries, key, &Node::Entry::key);
    if (found == from.entries.end()) continue;
    found->value.origin = fmt::format("{}.{}", origin, key);
    to.entries.push_back({found->key, found->mark, std::move(found->value)});
    from.entries.erase(found);
  }
}

// One endpoint as a backend_ref.
Node to_backend(const Node& endpoint, const Node& profiles, Reader& reader) {
  Node backend{.kind = Node::Kind::kMap, .mark = endpoint.mark};
  for (const auto key : {"name", "weight", "type", "api_key", "protocol"}) {
    if (const Node* value = endpoint.find(key)) backend.set(key, *value);
  }
  const auto profile_name = endpoint.text("provider_profile");
  const Node* profile = profile_name.empty() ? nullptr : profiles.find(profile_name);
  if (!profile_name.empty() && profile == nullptr) {
    reader.error("unknown-profile", endpoint.find("provider_profile")->mark,
                 fmt::format("no provider profile is called '{}'", profile_name));
  }
  if (profile != nullptr) {
    for (const auto key :
         {"base_url", "auth_header", "auth_prefix", "extra_headers", "api_version", "chat_path"}) {
      if (const Node* value = profile->find(key)) backend.set(key, *value);
    }
    if (const Node* type = profile->find("type")) backend.set("provider", *type);
  }
  const auto address = endpoint.text("address");
  if (backend.find("base_url") == nullptr && !address.empty()) {
    const bool v6 = address.find(':') != std::string_view::npos && !address.starts_with('[');
    const auto port = endpoint.text("port");
    backend.set("endpoint", scalar_node(fmt::format("{}{}{}{}{}", v6 ? "[" : "", address,
                                                    v6 ? "]" : "", port.empty() ? "" : ":", port),
                                        endpoint.find("address")->mark));
  }
  return backend;
}

bool lists(const Node* list, std::string_view word) {
  if (list == nullptr) return false;
  if (list->is_scalar()) return list->scalar == word;
  return std::ranges::any_of(list->items, [&](const Node& item) { return item.scalar == word; });
}

bool names_models(const Node& endpoint) {
  return endpoint.find("model") != nullptr || endpoint.find("models") != nullptr;
}

bool serves(const Node& endpoint, std::string_view model, const Node* preferred) {
  if (preferred != nullptr) return lists(preferred, endpoint.text("name"));
  if (names_models(endpoint))
    return lists(endpoint.find("model"), model) || lists(endpoint.find("models"), model);
  return true;
}

// Lives for one conversion.
class Models {
 public:
  Models(Node& body, Node& tree, Reader& reader)
      : tree_(tree),
        reader_(reader),
        endpoints_(body.take("vllm_endpoints")),
        profiles_(body.take("provider_profiles")) {}

  void convert(const std::string& name, Node params, std::string_view origin);
  void check_endpoints();

 private:
  void check_preferred(const Node& preferred);
  Node& models() { return list("providers.models"); }
  Node& cards() { return list("routing.modelCards"); }
  Node& list(std::string_view path) {
    Node& node = at_path(tree_, path);
    node.kind = Node::Kind::kSequence;
    return node;
  }

  Node& tree_;
  Reader& reader_;
  Node endpoints_;
  Node profiles_;
};

void Models::check_endpoints() {
  for (std::size_t i = 0; i < endpoints_.items.size(); ++i) {
    const Reader::Scope list(reader_, "vllm_endpoints", endpoints_);
    const Reader::Scope scope(reader_, i, endpoints_.items[i]);
    for (const auto& entry : endpoints_.items[i].entries) {
      if (!among(kEndpointKeys, entry.key)) reader_.unknown_key(entry, kEndpointKeys);
    }
  }
  for (const auto& [name, mark, profile] : profiles_.entries) {
    const Reader::Scope map(reader_, "provider_profiles", profiles_);
    const Reader::Scope scope(reader_, name, profile);
    for (const auto& entry : profile.entries) {
      if (!among(kProfileKeys, entry.key)) reader_.unknown_key(entry, kProfileKeys);
    }
  }
}

void Models::check_preferred(const Node& preferred) {
  for (const auto& item : preferred.items) {
    const bool found = std::ranges::any_of(
        endpoints_.items, [&](const Node& e) { return e.text("name") == item.scalar; });
    if (!found) {
      reader_.error("unknown-endpoint", item.mark,
                    fmt::format("no endpoint is called '{}'", item.scalar),
                    "add it to vllm_endpoints");
    }
  }
}

void Models::convert(const std::string& name, Node params, std::string_view origin) {
  Node model{.kind = Node::Kind::kMap, .mark = params.mark, .origin = std::string(origin)};
  model.set("name", scalar_node(name, params.mark, true));
  Node card = model;
  move_keys(params, model, kProviderKeys, origin);
  move_keys(params, card, kCardKeys, origin);
  if (const auto* policy = params.entry("pii_policy"))
    reader_.not_yet("pii_policy of model_config", policy->mark);
  if (const auto* image = params.entry("image_gen_backend"))
    reader_.not_yet("image_gen_backend", image->mark);
  const Node* preferred = params.find("preferred_endpoints");
  if (preferred != nullptr) check_preferred(*preferred);
  Node backends{.kind = Node::Kind::kSequence};
  for (const auto& endpoint : endpoints_.items) {
    if (!serves(endpoint, name, preferred)) continue;
    Node backend = to_backend(endpoint, profiles_, reader_);
    const Node* key = params.find("access_key");
    if (key != nullptr && backend.find("api_key") == nullptr) backend.set("api_key", *key);
    backends.items.push_back(std::move(backend));
  }
  if (!backends.items.empty()) model.set("backend_refs", std::move(backends));
  std::vector<std::string_view> known(kProviderKeys.begin(), kProviderKeys.end());
  known.insert(known.end(), kCardKeys.begin(), kCardKeys.end());
  known.insert(known.end(), kOtherKeys.begin(), kOtherKeys.end());
  for (const auto& rest : params.entries) {
    if (!among(kOtherKeys, rest.key)) reader_.unknown_key(rest, known);
  }
  models().items.push_back(std::move(model));
  cards().items.push_back(std::move(card));
}

}  // namespace

void convert_models(Node& body, Node& tree, Reader& reader) {
  Models models(body, tree, reader);
  models.check_endpoints();
  Node config = body.take("model_config");
  if (config.is_null()) return;
  const Reader::Scope scope(reader, "model_config", config);
  if (!reader.expect_map(config)) return;
  for (auto& entry : config.entries) {
    const Reader::Scope inside(reader, entry.key, entry.value);
    if (!entry.value.is_null() && !reader.expect_map(entry.value)) continue;
    models.convert(entry.key, std::move(entry.value), reader.path());
  }
}

}  // namespace signalbox::config
