#include "emit/envoy.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "emit/filter_modes.h"

namespace signalbox::emit {
namespace {

constexpr std::string_view kDestination = "x-gateway-destination-endpoint";

bool is_address(std::string_view host) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == ':' || (c >= 'a' && c <= 'f');
  };
  const bool has_separator = host.find_first_of(".:") != std::string_view::npos;
  return has_separator && std::ranges::all_of(host, allowed) &&
         (host.find(':') != std::string_view::npos ||
          std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); }));
}

// The replica that Signalbox chose can be dialled as it is.
bool takes_choice(const Service& service) {
  return std::ranges::all_of(service.backends, [](const config::BackendRef& backend) {
    return backend.scheme == "http" && is_address(backend.host);
  });
}

std::string cluster_name(const Service& service) { return "model-" + service.name; }

std::string route(std::string_view cluster, std::string_view matches) {
  return fmt::format(
      "              - match:\n"
      "                  prefix: /\n"
      "{}"
      "                route: {{cluster: {}, timeout: 0s, idle_timeout: 300s}}\n",
      matches, quoted(cluster));
}

std::string header_is(std::string_view name, std::string_view value) {
  return fmt::format("                  - {{name: {}, string_match: {{exact: {}}}}}\n", name,
                     quoted(value));
}

std::string routes(const Routed& routed, const EnvoyOptions& options) {
  std::string text;
  const std::string headers = "                  headers:\n";
  const std::string chosen =
      fmt::format("                  - {{name: {}, present_match: true}}\n", kDestination);
  for (const auto& [name, index] : routed.names) {
    const Service& service = routed.services[index];
    const std::string is_model = headers + header_is(options.model_header, name);
    if (takes_choice(service)) text += route("chosen-replica", is_model + chosen);
    text += route(cluster_name(service), is_model);
  }
  text +=
      "              # Requests that are not about a model, and models that no rule above knows.\n";
  return text + route(cluster_name(routed.services[routed.default_service]), "");
}

std::string endpoint(const config::BackendRef& backend) {
  return fmt::format(
      "      - load_balancing_weight: {}\n"
      "        endpoint:\n"
      "          address: {{socket_address: {{address: {}, port_value: {}}}}}\n",
      std::max(1, backend.weight), quoted(backend.host), backend.port);
}

std::string service_cluster(const Service& service) {
  const bool addresses = std::ranges::all_of(
      service.backends, [](const auto& backend) { return is_address(backend.host); });
  const bool tls = service.backends.front().scheme == "https";
  std::string text = fmt::format(
      "  - name: {}\n"
      "    type: {}\n"
      "    connect_timeout: 5s\n",
      quoted(cluster_name(service)), addresses ? "STATIC" : "STRICT_DNS");
  if (tls) {
    text += fmt::format(
        "    transport_socket:\n"
        "      name: envoy.transport_sockets.tls\n"
        "      typed_config:\n"
        "        \"@type\": "
        "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n"
        "        sni: {}\n",
        quoted(service.backends.front().host));
  }
  text += fmt::format(
      "    load_assignment:\n      cluster_name: {}\n      endpoints:\n      - lb_endpoints:\n",
      quoted(cluster_name(service)));
  // Two levels deeper than the list itself, as YAML allows for sequences in mappings.
  for (const auto& backend : service.backends) {
    std::string lines = endpoint(backend);
    std::size_t begin = 0;
    while (begin < lines.size()) {
      const auto end = lines.find('\n', begin) + 1;
      text += "  " + lines.substr(begin, end - begin);
      begin = end;
    }
  }
  return text;
}

constexpr std::string_view kHead =
    R"(# Written by `signalbox emit envoy`; change the configuration and write it anew.
# Clients ask on port {listen_port}. Signalbox must serve ExtProc on {processor_host}:{processor_port}
# (signalbox serve --extproc-listen {processor_port}).
admin:
  address: {{socket_address: {{address: 127.0.0.1, port_value: {admin_port}}}}}
static_resources:
  listeners:
  - name: gateway
    address: {{socket_address: {{address: {listen_address}, port_value: {listen_port}}}}}
    # A request body is judged whole, so Envoy must be able to hold it.
    per_connection_buffer_limit_bytes: {buffer_bytes}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: gateway
          stream_idle_timeout: 300s
          http_filters:
          - name: signalbox
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
              grpc_service: {{envoy_grpc: {{cluster_name: signalbox}}, timeout: 60s}}
              # Fails closed: the route below believes the headers that Signalbox sets.
              failure_mode_allow: false
              allow_mode_override: {override}
              message_timeout: 10s
              request_attributes: [source.address]
              mutation_rules: {{allow_all_routing: {{value: true}}}}
              processing_mode:
                request_header_mode: SEND
                response_header_mode: SEND
                request_body_mode: {mode_request}
                response_body_mode: {mode_response}
                request_trailer_mode: {mode_trailers}
                response_trailer_mode: SKIP
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: models
              domains: ["*"]
              routes:
)";

constexpr std::string_view kClusters = R"(  clusters:
  - name: signalbox
    type: STRICT_DNS
    connect_timeout: 5s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    circuit_breakers: {{thresholds: [{{max_requests: 16384, max_pending_requests: 16384}}]}}
    load_assignment:
      cluster_name: signalbox
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{socket_address: {{address: {processor_host}, port_value: {processor_port}}}}}
)";

constexpr std::string_view kChosen = R"(  - name: chosen-replica
    type: ORIGINAL_DST
    lb_policy: CLUSTER_PROVIDED
    connect_timeout: 5s
    original_dst_lb_config: {use_http_header: true, http_header_name: x-gateway-destination-endpoint}
)";

}  // namespace

std::string envoy_config(const Routed& routed, const EnvoyOptions& options) {
  const FilterModes modes = filter_modes(options.request_body_mode, options.allow_mode_override);
  const auto fill = [&](std::string_view text) {
    return fmt::format(
        fmt::runtime(text), fmt::arg("listen_address", quoted(options.listen_address)),
        fmt::arg("listen_port", options.listen_port), fmt::arg("admin_port", options.admin_port),
        fmt::arg("processor_host", options.processor_host),
        fmt::arg("processor_port", options.processor_port),
        fmt::arg("buffer_bytes", options.body_bytes_max),
        fmt::arg("override", options.allow_mode_override), fmt::arg("mode_request", modes.request),
        fmt::arg("mode_response", modes.response), fmt::arg("mode_trailers", modes.trailers));
  };
  std::string text = fill(kHead) + routes(routed, options) + fill(kClusters);
  if (std::ranges::any_of(routed.services, takes_choice)) text += kChosen;
  for (const auto& service : routed.services) text += service_cluster(service);
  return text;
}

}  // namespace signalbox::emit
