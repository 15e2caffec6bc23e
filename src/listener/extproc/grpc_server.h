// The gRPC server behind the ExtProc door: envoy.service.ext_proc.v3.ExternalProcessor and grpc.health.v1.Health. Streams
// are dealt out to the doors of the cores in turn; threads of gRPC only move messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "listener/extproc/door.h"

namespace signalbox::listener {

struct GrpcServerOptions {
  std::string address = "::";
  std::uint16_t port = 50051;  // 0: the system's choice
  std::size_t message_bytes_max = limits::kExtProcMessageBytesMax;
  // PEM files, read again when they change; none: plain text, or the PEM texts below if there are any. With a client
  // authority only peers with a certificate of it are served.
  std::string certificate_file;
  std::string key_file;
  std::string client_authority_file;
  std::string certificate;
  std::string key;
};

class GrpcServer {
 public:
  virtual ~GrpcServer() = default;
  // Listens and serves at once. The doors outlive the server. Errors: kIo (port taken, certificate refused).
  static Result<std::unique_ptr<GrpcServer>> open(const GrpcServerOptions& options,
                                                  std::vector<ExtProcDoor*> doors);
  virtual std::uint16_t port() const = 0;
  // Health says NOT_SERVING, no new stream is taken, streams under way may end until the deadline and are cancelled then.
  // Blocks until all are over, then tells the doors. `grace` counts from now. The doors' loops must be running.
  virtual void shutdown(Duration grace) = 0;
};

}  // namespace signalbox::listener
