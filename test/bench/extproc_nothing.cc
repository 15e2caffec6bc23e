// The floor of `./dev bench extproc`: a processor that answers "go on" to every message of Envoy, on the same gRPC library
// and API as the door, and does nothing else. `extproc_nothing` prints its port and serves until it is ended.
#include <envoy/service/ext_proc/v3/external_processor.grpc.pb.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>

namespace {

namespace ext_proc = envoy::service::ext_proc::v3;
using Reactor = grpc::ServerBidiReactor<ext_proc::ProcessingRequest, ext_proc::ProcessingResponse>;

class Call final : public Reactor {
 public:
  Call() { StartRead(&request_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    response_.Clear();
    using Request = ext_proc::ProcessingRequest;
    switch (request_.request_case()) {
      case Request::kRequestHeaders:
        response_.mutable_request_headers();
        break;
      case Request::kRequestBody:
        response_.mutable_request_body();
        break;
      case Request::kResponseHeaders:
        response_.mutable_response_headers();
        break;
      case Request::kResponseBody:
        response_.mutable_response_body();
        break;
      default:
        return Finish({grpc::StatusCode::UNIMPLEMENTED, "trailers"});
    }
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) StartRead(&request_);
    if (!ok) Finish(grpc::Status::OK);
  }
  void OnDone() override { const std::unique_ptr<Call> self(this); }

 private:
  ext_proc::ProcessingRequest request_;
  ext_proc::ProcessingResponse response_;
};

class Service final : public ext_proc::ExternalProcessor::CallbackService {
  Reactor* Process(grpc::CallbackServerContext*) override {
    return std::make_unique<Call>().release();
  }
};

}  // namespace

int main() {
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  fmt::print("{}\n", port);
  std::fflush(stdout);
  server->Wait();
}
