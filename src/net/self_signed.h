// A certificate of our own for doors that shall speak TLS and were given none.
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

}  // namespace signalbox::net
