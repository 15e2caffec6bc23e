// The whole program behind `signalbox serve`: loads the configuration, starts cores and helpers, reloads on change, and
// ends in order. Runs its own control loop on the calling thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "pipeline/loader.h"

namespace signalbox::pipeline {

struct ServerOptions {
  ConfigSource source = config_file_source({});
  std::optional<std::uint16_t>
      http_port;  // overrides the configuration; 0 takes one from the system
  std::optional<std::uint16_t> admin_port;
  // The ExtProc door; a port opens it whatever the configuration says.
  std::optional<std::uint16_t> extproc_port;
  std::optional<std::string> extproc_address;
  std::optional<bool> extproc_secure;  // TLS; without files, with a certificate made at start
  std::string extproc_certificate_directory;  // tls.crt and tls.key
  std::string
      ports_file;  // where to write {"http":N,"admin":N,"engines":[N,...],...} once listening
  std::string encoder_directory;  // overrides
  std::string models_directory;
  std::string version;
};

// Returns after SIGTERM or SIGINT and an orderly end. Errors: kConfig (all problems of the file), kIo (ports, files).
Result<void> serve(const ServerOptions& options);

}  // namespace signalbox::pipeline
