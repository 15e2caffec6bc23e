#include "pipeline/cors.h"

#include <algorithm>
#include <string>

namespace signalbox::pipeline {
namespace {

// The value of Access-Control-Allow-Origin, or empty.
std::string allowed_origin(const config::Cors& cors, const exchange::ClientRequest& client) {
  if (cors.origins.empty()) return {};
  const std::string_view origin = client.headers.get("origin");
  if (origin.empty()) return {};
  if (std::ranges::find(cors.origins, "*") != cors.origins.end()) return "*";
  if (std::ranges::find(cors.origins, origin) == cors.origins.end()) return {};
  return std::string(origin);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

std::optional<http::Headers> preflight_headers(const config::Cors& cors,
                                               const exchange::ClientRequest& client) {
  if (client.method != "OPTIONS" || !client.headers.has("access-control-request-method"))
    return std::nullopt;
  http::Headers headers;
  add_cors_headers(cors, client, headers);
  if (!headers.has("access-control-allow-origin")) return std::nullopt;
  headers.set("access-control-allow-methods", "GET, POST, DELETE, OPTIONS");
  headers.set("access-control-allow-headers", joined(cors.headers));
  headers.set("access-control-max-age",
              std::to_string(std::chrono::ceil<std::chrono::seconds>(cors.max_age).count()));
  return headers;
}

void add_cors_headers(const config::Cors& cors, const exchange::ClientRequest& client,
                      http::Headers& headers) {
  std::string origin = allowed_origin(cors, client);
  if (origin.empty()) return;
  if (origin != "*") headers.set("vary", "Origin");
  headers.set("access-control-allow-origin", std::move(origin));
  headers.set("access-control-expose-headers", "x-request-id, retry-after");
}

}  // namespace signalbox::pipeline
