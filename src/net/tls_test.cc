#include "net/tls.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "net/testing/stream_pair.h"

namespace signalbox::net {
namespace {

using namespace std::chrono_literals;
using net_testing::Pair;
using net_testing::read_to_end;
using net_testing::write_pattern;
using net_testing::write_pattern_and_close;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
std::unique_ptr<std::FILE, CloseFile> create(const std::string& path) {
  return std::unique_ptr<std::FILE, CloseFile>(std::fopen(path.c_str(), "w"));
}

// A certificate for localhost and 127.0.0.1, signed by itself, that this process trusts while the object lives.
class SelfSigned {
 public:
  SelfSigned() {
    std::filesystem::create_directories(folder_);
    files.certificate_file = folder_ / "certificate.pem";
    files.key_file = folder_ / "key.pem";
    EVP_PKEY* key = ::EVP_EC_gen("P-256");
    X509* certificate = ::X509_new();
    ::X509_set_version(certificate, 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -60);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
    ::X509_set_pubkey(certificate, key);
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    ::X509_set_issuer_name(certificate, ::X509_get_subject_name(certificate));
    X509_EXTENSION* names =
        ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    ::X509_add_ext(certificate, names, -1);
    ::X509_EXTENSION_free(names);
    ::X509_sign(certificate, key, ::EVP_sha256());
    ::PEM_write_X509(create(files.certificate_file).get(), certificate);
    ::PEM_write_PrivateKey(create(files.key_file).get(), key, nullptr, nullptr, 0, nullptr,
                           nullptr);
    ::X509_free(certificate);
    ::EVP_PKEY_free(key);
    ::setenv("SSL_CERT_FILE", files.certificate_file.c_str(), 1);
  }
  ~SelfSigned() {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove_all(folder_);
  }
  TlsServerFiles files;

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("signalbox-tls-" + std::to_string(::getpid()));
};

constexpr std::size_t kManyBytes = 6 << 20;

// The server writes: a client that closes with session tickets unread resets the connection and loses what is under way.
Task<void> write_much_to_a_slow_reader(Pair* pair) {
  std::swap(pair->near, pair->far);
  TaskGroup writers(*pair->loop);
  writers.spawn(write_pattern_and_close(pair, kManyBytes));
  co_await pair->loop->sleep(25ms);
  const std::string all = co_await read_to_end(pair, 5'000);
  co_await writers.join();
  EXPECT_EQ(all.size(), kManyBytes);
  bool same = true;
  for (std::size_t i = 0; i < all.size(); ++i) same &= all[i] == static_cast<char>(i * 131 % 251);
  EXPECT_TRUE(same);
}

TEST(Tls, WriterWaitsForASlowReaderAndNothingIsLost) {
  const SelfSigned identity;
  Pair pair;
  pair.run(&identity.files, "localhost", write_much_to_a_slow_reader);
}

TEST(Tls, AddressInTheCertificateIsAccepted) {
  const SelfSigned identity;
  Pair pair;
  pair.run(&identity.files, "127.0.0.1", write_much_to_a_slow_reader);
}

TEST(Tls, AReadThatWaitsHoldsNoSpace) {
  const SelfSigned identity;
  Pair pair;
  pair.run(&identity.files, "localhost", net_testing::wait_without_space);
}

constexpr std::size_t kAnswerBytes = 2 << 20;

Task<void> answer(Pair* pair) {
  const std::string text(kAnswerBytes, 'a');
  const std::string_view part = text;
  const auto written = co_await pair->far->write_all(std::span(&part, 1), pair->soon());
  EXPECT_EQ(written.value_or(0), kAnswerBytes);
}

// Reads the answer while the pattern is written to the same stream, then ends it.
Task<void> ask(Pair* pair) {
  TaskGroup writers(*pair->loop);
  writers.spawn(write_pattern(pair, kManyBytes));
  std::size_t got_bytes = 0;
  std::string piece(10'000, '\0');
  while (got_bytes < kAnswerBytes) {
    const auto got = co_await pair->near->read_some(piece, pair->soon());
    EXPECT_GT(got.value_or(0), 0U);
    if (got.value_or(0) == 0) break;
    got_bytes += *got;
  }
  co_await writers.join();
  pair->near->close();
}

Task<void> both_ways_at_once(Pair* pair) {
  // A record is read while another waits to be written: neither direction may eat the other's wake-ups.
  TaskGroup group(*pair->loop);
  group.spawn(ask(pair));
  group.spawn(answer(pair));
  const std::string all = co_await read_to_end(pair, 64 << 10);
  EXPECT_EQ(all.size(), kManyBytes);
  co_await group.join();
}

TEST(Tls, BothDirectionsMoveAtOnce) {
  const SelfSigned identity;
  Pair pair;
  pair.run(&identity.files, "localhost", both_ways_at_once);
}

Task<void> idle_then_closed(Pair* pair) {
  co_await pair->loop->sleep(1ms);  // session tickets arrive
  EXPECT_FALSE(pair->near->stale());
  pair->far->close();
  co_await pair->loop->sleep(1ms);
  EXPECT_TRUE(pair->near->stale());
}

TEST(Tls, SessionTicketsDoNotMakeAnIdleConnectionStaleButTheEndDoes) {
  const SelfSigned identity;
  Pair pair;
  pair.run(&identity.files, "localhost", idle_then_closed);
}

struct Refused {
  std::unique_ptr<Loop> loop = make_loop();
  Error error;
  static Task<void> dial(Refused* refused, Address address) {
    const auto network = make_network(*refused->loop);
    const auto dialled = co_await network->dial(
        std::move(address), Deadline::after(refused->loop->now(), 10s), nullptr);
    if (!dialled) refused->error = dialled.error();
    refused->loop->stop();
  }
  Error run(const TlsServerFiles& files, const std::string& host) {
    auto acceptor = listen(*loop, "0.0.0.0", 0, &files);
    EXPECT_TRUE(acceptor.has_value());
    (*acceptor)->start([](std::unique_ptr<Stream>) {});
    TaskGroup group(*loop);
    group.spawn(dial(this, Address(host, (*acceptor)->port(), true)));
    loop->run();
    return error;
  }
};

TEST(Tls, CertificateOfAnotherNameIsRefusedAndTheMessageSaysSo) {
  const SelfSigned identity;
  Refused refused;
  const Error error = refused.run(identity.files, "127.0.0.2");
  EXPECT_EQ(error.code, Code::kUpstreamConnect);
  EXPECT_NE(error.message.find("certificate verify failed: IP address mismatch"), std::string::npos)
      << error.message;
}

TEST(Tls, UntrustedCertificateIsRefused) {
  const SelfSigned identity;
  ::unsetenv("SSL_CERT_FILE");
  Refused refused;
  const Error error = refused.run(identity.files, "127.0.0.1");
  EXPECT_EQ(error.code, Code::kUpstreamConnect);
  EXPECT_NE(error.message.find("self-signed"), std::string::npos) << error.message;
}

TEST(Tls, UnreadableKeyIsAConfigurationErrorThatNamesTheFile) {
  const SelfSigned identity;
  TlsServerFiles files = identity.files;
  files.key_file = "/nonexistent/key.pem";
  const auto loop = make_loop();
  const auto acceptor = listen(*loop, "0.0.0.0", 0, &files);
  ASSERT_FALSE(acceptor.has_value());
  EXPECT_EQ(acceptor.error().code, Code::kConfig);
  EXPECT_EQ(acceptor.error().message,
            "private key /nonexistent/key.pem: No such file or directory");
}

}  // namespace
}  // namespace signalbox::net
