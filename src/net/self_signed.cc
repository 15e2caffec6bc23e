#include "net/self_signed.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "base/random.h"
#include "net/tls.h"

namespace signalbox::net {
namespace {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Text = std::unique_ptr<BIO, Freed<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

constexpr long kYearSeconds = 365L * 24 * 3600;
constexpr long kVersion3 = 2;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

bool fill(X509* certificate, EVP_PKEY* key) {
  X509_set_version(certificate, kVersion3);
  Random random(entropy_seed());
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), random.next() >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), kYearSeconds);
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>("signalbox");
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  const Extension names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,DNS:signalbox"));
  return names && X509_add_ext(certificate, names.get(), -1) == 1 &&
         X509_set_pubkey(certificate, key) == 1 && X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Result<CertificatePair> make_self_signed() {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  const Text key_text(BIO_new(BIO_s_mem()));
  const Text certificate_text(BIO_new(BIO_s_mem()));
  const bool made =
      key && certificate && key_text && certificate_text && fill(certificate.get(), key.get()) &&
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
          1 &&
      PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1;
  if (!made) return fail(Code::kInternal, "cannot make a certificate");
  return CertificatePair{.certificate = text_of(certificate_text.get()),
                         .key = text_of(key_text.get())};
}

Result<void> check_certificate(const std::string& certificate_file, const std::string& key_file) {
  SBX_CHECK_OK(make_server_context({certificate_file, key_file}));
  return {};
}

}  // namespace signalbox::net
