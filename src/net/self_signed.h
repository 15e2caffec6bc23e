// Certificates for doors that shall speak TLS: one of our own where none was given, a look at those that were.
#pragma once

#include <string>

#include "base/error.h"

namespace signalbox::net {

struct CertificatePair {
  std::string certificate;  // PEM
  std::string key;          // PEM, unencrypted
};

// For "localhost" and the name "signalbox", on P-256, valid for a year from now. About 1 ms. Errors: kInternal.
Result<CertificatePair> make_self_signed();

// Whether a server can use the pair: PEM files, the key that of the certificate. Errors: kConfig, with the file and what
// OpenSSL says.
Result<void> check_certificate(const std::string& certificate_file, const std::string& key_file);

}  // namespace signalbox::net
