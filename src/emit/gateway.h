// Objects of Envoy Gateway and Envoy AI Gateway for one configuration: the gateway, Signalbox in front of its routes, a
// rule for each model, and the rule for the default model that a request falls to.
#pragma once

#include <cstdint>
#include <string>

#include "emit/routed.h"

namespace signalbox::emit {

struct GatewayOptions {
  std::string name = "signalbox";
  std::string name_space = "default";
  std::string processor_host = "signalbox.signalbox-system.svc.cluster.local";
  std::uint16_t processor_port = 50051;
  std::string model_header = "x-ai-eg-model";
  // As signalbox.extproc has them.
  std::string request_body_mode = "buffered";
  bool allow_mode_override = true;
  std::uint64_t body_bytes_max = limits::kBodyBytesMax;
  // How Signalbox is put into Envoy: the supported EnvoyExtensionPolicy, or the EnvoyPatchPolicy that the semantic router
  // publishes, which puts it before the AI Gateway's own processor.
  bool patch = false;
  // AIGatewayRoute and AIServiceBackend of Envoy AI Gateway; else an HTTPRoute of plain Envoy Gateway.
  bool ai_gateway = true;
};

// YAML documents.
std::string gateway_objects(const Routed& routed, const GatewayOptions& options);

}  // namespace signalbox::emit
