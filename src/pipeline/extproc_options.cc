#include "pipeline/extproc_options.h"

#include "base/file.h"
#include "net/self_signed.h"

namespace signalbox::pipeline {
namespace {

constexpr std::uint64_t kPemBytesMax = 1 << 20;
// Names of the files in a Kubernetes secret of type TLS, which the semantic router's -cert-path reads too.
constexpr const char* kCertificateName = "/tls.crt";
constexpr const char* kKeyName = "/tls.key";

}  // namespace

Result<listener::GrpcServerOptions> extproc_options(const config::ExtProcDoor& door,
                                                    const ServerOptions& options) {
  listener::GrpcServerOptions made;
  made.address = options.extproc_address.value_or(door.address);
  made.port = options.extproc_port.value_or(door.port);
  made.message_bytes_max = door.message_bytes_max;
  std::string certificate_file = door.tls.certificate_file;
  std::string key_file = door.tls.key_file;
  if (!options.extproc_certificate_directory.empty()) {
    certificate_file = options.extproc_certificate_directory + kCertificateName;
    key_file = options.extproc_certificate_directory + kKeyName;
  }
  if (!options.extproc_secure.value_or(!certificate_file.empty())) return made;
  if (certificate_file.empty()) {
    SBX_TRY(auto pair, net::make_self_signed());
    made.certificate = std::move(pair.certificate);
    made.key = std::move(pair.key);
    return made;
  }
  // gRPC would only fail the handshakes of a pair that does not fit, later and without a word.
  SBX_CHECK_OK(net::check_certificate(certificate_file, key_file));
  if (!door.tls.client_ca_file.empty()) {
    SBX_CHECK_OK(read_file(door.tls.client_ca_file, kPemBytesMax));
  }
  made.certificate_file = std::move(certificate_file);
  made.key_file = std::move(key_file);
  made.client_authority_file = door.tls.client_ca_file;
  return made;
}

}  // namespace signalbox::pipeline
