#include "plugins/request_params.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace signalbox::plugins {
namespace {

using exchange::Endpoint;
using json::Value;

constexpr std::array<std::string_view, 4> kNeverRemoved = {"model", "messages", "prompt", "input"};

bool is_removable(std::string_view name) {
  return std::ranges::find(kNeverRemoved, name) == kNeverRemoved.end();
}

// The known fields are those of these APIs; for others everything would look unknown.
bool has_known_fields(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kChatCompletions:
    case Endpoint::kCompletions:
    case Endpoint::kEmbeddings:
    case Endpoint::kResponses:
    case Endpoint::kMessages:
      return true;
    default:
      return false;
  }
}

Result<void> lower(json::Patch& patch, Value root, std::string_view key, std::int64_t limit) {
  SBX_TRY(const std::optional<Value> value, root.find(key));
  if (!value || patch.covers(*value)) return {};
  const std::optional<std::int64_t> asked = value->integer();
  // A number that is no int64 is larger than any limit.
  const bool too_large = asked ? *asked > limit : value->type() == json::Type::kNumber;
  return too_large ? patch.replace(*value, std::to_string(limit)) : Result<void>{};
}

}  // namespace

Result<void> limit_params(const config::RequestParamsPlugin& plugin,
                          const exchange::Request& request, exchange::Edits& edits) {
  if (request.document.empty() || !request.document.root().is_object()) return {};
  const Value root = request.document.root();
  json::Patch& patch = edits.body;
  const bool strip = plugin.strip_unknown && has_known_fields(request.endpoint);
  SBX_CHECK_OK(patch.remove_members_if(root, [&](std::string_view name) {
    if (!is_removable(name)) return false;
    const auto& blocked = plugin.blocked_params;
    return (strip && !is_known_field(name)) || std::ranges::find(blocked, name) != blocked.end();
  }));
  if (plugin.max_tokens_limit) {
    for (const std::string_view key :
         {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
      SBX_CHECK_OK(lower(patch, root, key, *plugin.max_tokens_limit));
    }
  }
  return plugin.max_n ? lower(patch, root, "n", *plugin.max_n) : Result<void>{};
}

}  // namespace signalbox::plugins
