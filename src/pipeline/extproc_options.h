// What the gRPC server of the ExtProc door is told: the configuration, and what the command line says instead.
#pragma once

#include "config/own.h"
#include "listener/extproc/grpc_server.h"
#include "pipeline/server.h"

namespace signalbox::pipeline {

// Reads the certificate files. TLS asked for without files gets a certificate made now, as the semantic router does: it
// hides the traffic, and proves nothing about who answers. Errors: kIo naming the file, kConfig.
Result<listener::GrpcServerOptions> extproc_options(const config::ExtProcDoor& door,
                                                    const ServerOptions& options);

}  // namespace signalbox::pipeline
