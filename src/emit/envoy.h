// A static configuration of Envoy for one machine: a listener, Signalbox as external processor, a route for each model.
#pragma once

#include <cstdint>
#include <string>

#include "emit/routed.h"

namespace signalbox::emit {

struct EnvoyOptions {
  std::string listen_address = "0.0.0.0";
  std::uint16_t listen_port = 8801;
  std::uint16_t admin_port = 9901;  // on loopback
  std::string processor_host = "127.0.0.1";
  std::uint16_t processor_port = 50051;
  std::string model_header = "x-ai-eg-model";
  // As signalbox.extproc has them.
  std::string request_body_mode = "buffered";
  bool allow_mode_override = true;
  std::uint64_t body_bytes_max = limits::kBodyBytesMax;  // Envoy's buffer
};

// YAML. Where every backend of a model is an IP address without TLS, requests go to the replica that Signalbox chose;
// elsewhere Envoy takes the backends in turn, by their weights.
std::string envoy_config(const Routed& routed, const EnvoyOptions& options);

}  // namespace signalbox::emit
