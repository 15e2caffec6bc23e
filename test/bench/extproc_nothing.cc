// The floor of `./dev bench extproc`: a processor that answers "go on" to every message of Envoy, on the same gRPC library
// and API as the door, and does nothing else. `extproc_nothing` prints its port and serves until it is ended. With
// `--talkative` it says as much as Signalbox does (headers of about that number and size, a replica, a route chosen anew)
// without having thought about it: what saying costs, in the processor and in Envoy.
#include <envoy/service/ext_proc/v3/external_processor.grpc.pb.h>
#include <fmt/core.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string_view>

namespace {

namespace ext_proc = envoy::service::ext_proc::v3;
using Reactor = grpc::ServerBidiReactor<ext_proc::ProcessingRequest, ext_proc::ProcessingResponse>;

void set(ext_proc::HeaderMutation* mutation, const char* name, const char* value) {
  auto* header = mutation->add_set_headers()->mutable_header();
  header->set_key(name);
  header->set_raw_value(value);
}

// What Signalbox says to a request whose model it was told by name.
void say_request(ext_proc::ProcessingResponse* response) {
  auto* common = response->mutable_request_body()->mutable_response();
  common->set_clear_route_cache(true);
  auto* mutation = common->mutable_header_mutation();
  set(mutation, "x-request-id", "48047e36-02a1-4e9c-a1c8-51bbf92736fb");
  set(mutation, "traceparent", "00-b3f2af6d0fc710c5b3f2af6d0fc710c5-b3f2af6d0fc710c5-01");
  set(mutation, "accept-encoding", "identity");
  set(mutation, "x-ai-eg-model", "base-model");
  set(mutation, "x-selected-model", "base-model");
  set(mutation, "x-gateway-destination-endpoint", "127.0.0.1:12345");
  auto& fields = *response->mutable_dynamic_metadata()->mutable_fields();
  auto& inner = *fields["envoy.lb"].mutable_struct_value()->mutable_fields();
  inner["x-gateway-destination-endpoint"].set_string_value("127.0.0.1:12345");
}

// And to the head of the answer.
void say_response(ext_proc::ProcessingResponse* response) {
  auto* mutation =
      response->mutable_response_headers()->mutable_response()->mutable_header_mutation();
  set(mutation, "x-request-id", "48047e36-02a1-4e9c-a1c8-51bbf92736fb");
  set(mutation, "x-vsr-selected-model", "base-model");
  set(mutation, "x-vsr-destination-endpoint", "http://127.0.0.1:12345");
  set(mutation, "x-vsr-schema-version", "2");
  set(mutation, "x-vsr-response-path", "upstream");
  set(mutation, "x-signalbox-policy", "auto");
}

class Call final : public Reactor {
 public:
  explicit Call(bool talkative) : talkative_(talkative) { StartRead(&request_); }
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
        if (talkative_) say_request(&response_);
        break;
      case Request::kResponseHeaders:
        response_.mutable_response_headers();
        if (talkative_) say_response(&response_);
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
  bool talkative_;
  ext_proc::ProcessingRequest request_;
  ext_proc::ProcessingResponse response_;
};

class Service final : public ext_proc::ExternalProcessor::CallbackService {
 public:
  explicit Service(bool talkative) : talkative_(talkative) {}
  Reactor* Process(grpc::CallbackServerContext*) override {
    return std::make_unique<Call>(talkative_).release();
  }

 private:
  bool talkative_;
};

}  // namespace

int main(int argc, char** argv) {
  Service service(argc > 1 && std::string_view(argv[1]) == "--talkative");
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  fmt::print("{}\n", port);
  std::fflush(stdout);
  server->Wait();
}
