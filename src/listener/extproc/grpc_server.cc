#include "listener/extproc/grpc_server.h"

#include <envoy/service/ext_proc/v3/external_processor.grpc.pb.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "listener/extproc/codec.h"

namespace signalbox::listener {
namespace {

namespace ext_proc = envoy::service::ext_proc::v3;
using Reactor = grpc::ServerBidiReactor<ext_proc::ProcessingRequest, ext_proc::ProcessingResponse>;

// "ipv4:127.0.0.1:4711", "ipv6:[::1]:4711" (brackets may be %5B and %5D): the address alone.
std::string address_of(std::string_view peer) {
  const auto kind_end = peer.find(':');
  const auto port_begin = peer.rfind(':');
  if (kind_end == std::string_view::npos || port_begin <= kind_end) return std::string(peer);
  std::string_view address = peer.substr(kind_end + 1, port_begin - kind_end - 1);
  for (const std::string_view open : {"[", "%5B"}) {
    if (address.starts_with(open)) address.remove_prefix(open.size());
  }
  for (const std::string_view close : {"]", "%5D"}) {
    if (address.ends_with(close)) address.remove_suffix(close.size());
  }
  return std::string(address);
}

grpc::Status status_of(const std::optional<Error>& error) {
  if (!error) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(traits(error->code).grpc_status), error->message};
}

// One call. gRPC's threads call the On... members, the session's loop those of ProxyLink. It owns itself: gRPC keeps it
// alive until OnDone, which comes after Finish, and Finish is called by the session alone.
class Call final : public Reactor, public ProxyLink {
 public:
  Call(std::string peer_address, ExtProcDoor& door)
      : peer_address_(std::move(peer_address)),
        door_(door),
        inbox_(std::make_shared<Inbox>(door.loop())) {
    if (door.accept(this, inbox_)) StartRead(&request_);
  }

  void want() override { StartRead(&request_); }
  void send(ProxyAnswer answer) override {
    const std::lock_guard lock(mutex_);
    write_answer(std::move(answer), waiting_.emplace_back());
    if (!writing_) write_next();
  }
  void finish(std::optional<Error> error) override {
    const grpc::Status status = status_of(error);
    {
      const std::lock_guard lock(mutex_);
      end_ = status;
      if (writing_) return;
    }
    // Nothing of the call may be touched from here on: gRPC may end it on another thread at once.
    Finish(status);
  }
  std::string peer_address() const override { return peer_address_; }

  void OnReadDone(bool ok) override {
    if (!ok) return close();
    ProxyMessage message = read_message(request_);
    if (std::exchange(first_, false) && door_.lets_go_on(message)) {
      message.answered = true;
      send(ProxyReply{.part = message.part});
    }
    Inbox::deliver(inbox_, std::move(message));
  }
  void OnWriteDone(bool ok) override {
    std::optional<grpc::Status> end;
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      waiting_.pop_front();
      if (!ok) waiting_.clear();
      if (!waiting_.empty()) return write_next();
      end = end_;
    }
    if (end) Finish(*end);
  }
  void OnCancel() override { close(); }
  void OnDone() override { const std::unique_ptr<Call> self(this); }

 private:
  // gRPC tells of a stream's end up to twice, on two threads at once.
  void close() {
    if (!closed_.test_and_set()) Inbox::close(inbox_);
  }
  // Under the lock.
  void write_next() {
    writing_ = true;
    StartWrite(&waiting_.front());
  }

  std::string peer_address_;
  ExtProcDoor& door_;
  std::shared_ptr<Inbox> inbox_;
  ext_proc::ProcessingRequest request_;
  bool first_ = true;  // no message has come yet
  std::atomic_flag closed_;
  std::mutex mutex_;                                  // guards what follows; held for moments
  std::deque<ext_proc::ProcessingResponse> waiting_;  // the front one is being written
  bool writing_ = false;
  std::optional<grpc::Status> end_;
};

class Service final : public ext_proc::ExternalProcessor::CallbackService {
 public:
  explicit Service(std::vector<ExtProcDoor*> doors) : doors_(std::move(doors)) {}

  Reactor* Process(grpc::CallbackServerContext* context) override {
    ExtProcDoor& door = *doors_[turn_.fetch_add(1, std::memory_order_relaxed) % doors_.size()];
    return std::make_unique<Call>(address_of(context->peer()), door).release();
  }

 private:
  std::vector<ExtProcDoor*> doors_;
  std::atomic<std::size_t> turn_{0};
};

// Files are looked at this often, and followed also through a swapped symbolic link, as Kubernetes mounts secrets.
constexpr unsigned kCertificateCheckSeconds = 1;

std::shared_ptr<grpc::ServerCredentials> file_credentials(const GrpcServerOptions& options) {
  namespace tls = grpc::experimental;
  auto files = std::make_shared<tls::FileWatcherCertificateProvider>(
      options.key_file, options.certificate_file, options.client_authority_file,
      kCertificateCheckSeconds);
  tls::TlsServerCredentialsOptions made(std::move(files));
  made.watch_identity_key_cert_pairs();
  made.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (!options.client_authority_file.empty()) {
    made.watch_root_certs();
    made.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  // The chain is verified all the same; there is no host name to hold a client to.
  made.set_certificate_verifier(std::make_shared<tls::NoOpCertificateVerifier>());
  return tls::TlsServerCredentials(made);
}

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcServerOptions& options) {
  if (!options.certificate_file.empty()) return file_credentials(options);
  if (options.certificate.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({options.key, options.certificate});
  return grpc::SslServerCredentials(tls);
}

class Server final : public GrpcServer {
 public:
  explicit Server(std::vector<ExtProcDoor*> doors) : doors_(doors), service_(std::move(doors)) {}
  ~Server() override {
    if (server_) shutdown({});
  }

  Result<void> start(const GrpcServerOptions& options) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    const bool ipv6 = options.address.find(':') != std::string::npos;
    const std::string address =
        fmt::format(fmt::runtime(ipv6 ? "[{}]:{}" : "{}:{}"), options.address, options.port);
    int port = 0;
    builder.AddListeningPort(address, credentials(options), &port);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
    builder.SetMaxSendMessageSize(-1);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (!server_ || port == 0) {
      return fail(Code::kIo, fmt::format("cannot serve ExtProc on {}: the port is taken or the "
                                         "certificate is refused",
                                         address));
    }
    port_ = static_cast<std::uint16_t>(port);
    server_->GetHealthCheckService()->SetServingStatus(
        ext_proc::ExternalProcessor::service_full_name(), true);
    return {};
  }

  std::uint16_t port() const override { return port_; }

  void shutdown(Duration grace) override {
    if (!server_) return;
    server_->GetHealthCheckService()->SetServingStatus(false);
    gpr_timespec until = gpr_now(GPR_CLOCK_MONOTONIC);
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(grace).count();
    until = gpr_time_add(until, gpr_time_from_nanos(nanoseconds, GPR_TIMESPAN));
    server_->Shutdown(until);
    server_->Wait();
    server_.reset();
    for (const ExtProcDoor* door : doors_) door->server_closed();
  }

 private:
  std::vector<ExtProcDoor*> doors_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace

Result<std::unique_ptr<GrpcServer>> GrpcServer::open(const GrpcServerOptions& options,
                                                     std::vector<ExtProcDoor*> doors) {
  auto server = std::make_unique<Server>(std::move(doors));
  SBX_CHECK_OK(server->start(options));
  return std::unique_ptr<GrpcServer>(std::move(server));
}

}  // namespace signalbox::listener
