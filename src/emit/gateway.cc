#include "emit/gateway.h"

#include <fmt/core.h>

#include "emit/filter_modes.h"

namespace signalbox::emit {
namespace {

constexpr std::string_view kGateway =
    R"(# Written by `signalbox emit gateway`; change the configuration and write it anew.
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: {name}
spec:
  controllerName: gateway.envoyproxy.io/gatewayclass-controller
---
# An Envoy that is replaced lets streams end: answers take minutes.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata:
  name: {name}
  namespace: {space}
spec:
  shutdown: {{drainTimeout: 300s}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: {name}
  namespace: {space}
spec:
  gatewayClassName: {name}
  infrastructure:
    parametersRef: {{group: gateway.envoyproxy.io, kind: EnvoyProxy, name: {name}}}
  listeners:
  - name: http
    protocol: HTTP
    port: 80
---
# A request body is judged whole, so Envoy must be able to hold it; its default is 32 KiB.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata:
  name: {name}
  namespace: {space}
spec:
  targetRefs:
  - {{group: gateway.networking.k8s.io, kind: Gateway, name: {name}}}
  connection:
    bufferLimit: {buffer}Mi
)";

constexpr std::string_view kExtensionPolicy = R"(---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata:
  name: {name}-processor
  namespace: {space}
spec:
  endpoints:
  - fqdn: {{hostname: {processor_host}, port: {processor_port}}}
---
# Signalbox sets {header} itself, so the route is right whichever processor comes first.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata:
  name: {name}
  namespace: {space}
spec:
  targetRefs:
  - {{group: gateway.networking.k8s.io, kind: Gateway, name: {name}}}
  extProc:
  - backendRefs:
    - {{group: gateway.envoyproxy.io, kind: Backend, name: {name}-processor, port: {processor_port}}}
    messageTimeout: 10s
    failOpen: false
    processingMode:
      allowModeOverride: {override}
      request: {{body: {kind_request}, attributes: [source.address]}}
      response: {{body: {kind_response}}}
)";

constexpr std::string_view kPatchPolicy = R"(---
# Puts Signalbox before the AI Gateway's own processor, which then reads the model from the edited body.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyPatchPolicy
metadata:
  name: {name}-extproc
  namespace: {space}
spec:
  targetRef: {{group: gateway.networking.k8s.io, kind: Gateway, name: {name}}}
  type: JSONPatch
  jsonPatches:
  - type: type.googleapis.com/envoy.config.listener.v3.Listener
    name: {space}/{name}/http
    operation:
      op: add
      path: /default_filter_chain/filters/0/typed_config/http_filters/0
      value:
        name: {name}-extproc
        typedConfig:
          "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor
          allow_mode_override: {override}
          message_timeout: 10s
          grpcService:
            envoyGrpc: {{clusterName: {name}-processor, authority: "{processor_host}:{processor_port}"}}
            timeout: 60s
          processing_mode:
            request_header_mode: SEND
            response_header_mode: SEND
            request_body_mode: {mode_request}
            response_body_mode: {mode_response}
            request_trailer_mode: {mode_trailers}
            response_trailer_mode: SKIP
  - type: type.googleapis.com/envoy.config.cluster.v3.Cluster
    name: {name}-processor
    operation:
      op: add
      path: ""
      value:
        name: {name}-processor
        type: STRICT_DNS
        connect_timeout: 5s
        lb_policy: ROUND_ROBIN
        http2_protocol_options: {{}}
        load_assignment:
          cluster_name: {name}-processor
          endpoints:
          - lb_endpoints:
            - endpoint:
                address:
                  socket_address: {{address: {processor_host}, port_value: {processor_port}}}
)";

std::string backend_object(const Service& service, const GatewayOptions& options) {
  std::string text = fmt::format(
      "---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\nmetadata:\n  name: {}\n"
      "  namespace: {}\nspec:\n",
      service.name, options.name_space);
  if (service.backends.front().scheme == "https") {
    text += "  tls: {wellKnownCACertificates: System}\n";
  }
  text += "  endpoints:\n";
  for (const auto& backend : service.backends) {
    const bool digits = backend.host.find_first_not_of("0123456789.:") == std::string::npos;
    text +=
        digits
            ? fmt::format("  - ip: {{address: {}, port: {}}}\n", quoted(backend.host), backend.port)
            : fmt::format("  - fqdn: {{hostname: {}, port: {}}}\n", backend.host, backend.port);
  }
  return text;
}

std::string ai_service_backend(const Service& service, const GatewayOptions& options) {
  return fmt::format(
      "---\napiVersion: aigateway.envoyproxy.io/v1alpha1\nkind: AIServiceBackend\nmetadata:\n"
      "  name: {0}\n  namespace: {1}\nspec:\n  schema: {{name: OpenAI}}\n"
      "  backendRef: {{group: gateway.envoyproxy.io, kind: Backend, name: {0}}}\n",
      service.name, options.name_space);
}

std::string rule(const Routed& routed, std::size_t service, std::string_view model,
                 const GatewayOptions& options) {
  std::string text = "  - ";
  if (!model.empty()) {
    text +=
        fmt::format("matches:\n    - headers:\n      - {{type: Exact, name: {}, value: {}}}\n    ",
                    options.model_header, quoted(model));
  }
  text += "backendRefs:\n";
  text += options.ai_gateway
              ? fmt::format("    - name: {}\n", routed.services[service].name)
              : fmt::format("    - {{group: gateway.envoyproxy.io, kind: Backend, name: {}}}\n",
                            routed.services[service].name);
  return text + "    timeouts: {request: 1800s}\n";
}

std::string route(const Routed& routed, const GatewayOptions& options) {
  std::string text = fmt::format(
      "---\n# One rule a name that edited bodies carry. The last one takes what names no model.\n"
      "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n  namespace: {}\nspec:\n"
      "  parentRefs:\n  - {{group: gateway.networking.k8s.io, kind: Gateway, name: {}}}\n  "
      "rules:\n",
      options.ai_gateway ? "aigateway.envoyproxy.io/v1alpha1" : "gateway.networking.k8s.io/v1",
      options.ai_gateway ? "AIGatewayRoute" : "HTTPRoute", options.name, options.name_space,
      options.name);
  for (const auto& [name, service] : routed.names) text += rule(routed, service, name, options);
  // An AIGatewayRoute matches by model alone; its names are all above.
  if (!options.ai_gateway) text += rule(routed, routed.default_service, {}, options);
  return text;
}

}  // namespace

std::string gateway_objects(const Routed& routed, const GatewayOptions& options) {
  constexpr std::uint64_t kMebibyte = 1 << 20;
  const FilterModes modes = filter_modes(options.request_body_mode, options.allow_mode_override);
  const auto fill = [&](std::string_view text) {
    return fmt::format(
        fmt::runtime(text), fmt::arg("name", options.name), fmt::arg("space", options.name_space),
        fmt::arg("processor_host", options.processor_host),
        fmt::arg("processor_port", options.processor_port),
        fmt::arg("header", options.model_header),
        fmt::arg("buffer", (options.body_bytes_max + kMebibyte - 1) / kMebibyte),
        fmt::arg("override", options.allow_mode_override), fmt::arg("mode_request", modes.request),
        fmt::arg("mode_response", modes.response), fmt::arg("mode_trailers", modes.trailers),
        fmt::arg("kind_request", modes.request_kind),
        fmt::arg("kind_response", modes.response_kind));
  };
  std::string text = fill(kGateway) + fill(options.patch ? kPatchPolicy : kExtensionPolicy);
  for (const auto& service : routed.services) {
    text += backend_object(service, options);
    if (options.ai_gateway) text += ai_service_backend(service, options);
  }
  return text + route(routed, options);
}

}  // namespace signalbox::emit
