// Sequences of Envoy's messages in any order, cut anywhere, repeated, never ended: a session must end with its stream, say
// no more than Envoy can take, and leave nothing behind. Input: a byte that says what the pipeline does, then messages as
// Envoy's bytes, each behind two bytes of its length.
#include <envoy/service/ext_proc/v3/external_processor.pb.h>

#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "listener/extproc/codec.h"
#include "listener/extproc/door.h"
#include "listener/extproc/session.h"
#include "net/testing/manual_loop.h"

namespace signalbox::listener {
namespace {

class FuzzLink final : public ProxyLink {
 public:
  void want() override {
    SBX_ASSERT(!wanted && !finished);
    wanted = true;
  }
  void send(ProxyAnswer answer) override {
    SBX_ASSERT(!finished);
    envoy::service::ext_proc::v3::ProcessingResponse response;
    write_answer(std::move(answer), response);
    SBX_ASSERT(!immediate);  // the last word of an exchange
    immediate = response.has_immediate_response();
    bytes += response.ByteSizeLong();
  }
  void finish(std::optional<Error>) override {
    SBX_ASSERT(!finished);
    finished = true;
  }
  std::string peer_address() const override { return "127.0.0.1"; }

  bool wanted = true;  // the first comes unasked
  bool finished = false;
  bool immediate = false;
  std::size_t bytes = 0;
};

class FuzzHandler final : public ProxyHandler {
 public:
  explicit FuzzHandler(std::uint8_t choice) : choice_(choice) {}
  bool concerns(std::string_view path) const override { return path.size() % 4 != 3; }
  net::Task<void> handle_carried(exchange::Exchange& exchange, http::ClientSink& sink,
                                 Carrier& carrier, net::Cancellation&) override {
    if (choice_ % 4 == 0) {
      http::ResponseStart start;
      start.headers = exchange.client.headers;
      co_await sink.start(std::move(start), exchange.client.body);
      co_await sink.finish();
      co_return;
    }
    Carried carried;
    carried.headers = exchange.client.headers;
    carried.body = choice_ % 4 == 1 ? exchange.client.body : exchange.client.body + "more";
    carried.body_changed = choice_ % 4 != 1;
    auto head = co_await carrier.send(std::move(carried));
    if (!head || !*head) co_return;
    carrier.start(std::move((*head)->headers), static_cast<Watch>(choice_ / 4 % 3));
    for (;;) {
      auto piece = co_await carrier.read();
      if (!piece) co_return;
      const bool last = piece->last;
      carrier.pass(choice_ & 0x80 ? std::string_view("other") : piece->bytes);
      if (last) co_return;
    }
  }
  void rejected(const Error&) override {}

 private:
  std::uint8_t choice_;
};

net::Task<void> serve(Session* session, const ConnectionSettings* settings) {
  co_await session->serve(settings);
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto choice = static_cast<std::uint8_t>(input.front());
  FuzzHandler handler(choice);
  input.remove_prefix(1);
  net_testing::ManualLoop loop;
  net::TaskGroup tasks(loop);
  FuzzLink link;
  Random random(1);
  ConnectionSettings settings;
  settings.body_bytes_max = 4096;
  Session session(link, loop, handler, random);
  tasks.spawn(serve(&session, &settings));
  loop.run_ready();
  std::size_t bytes = 0;
  bool first = true;
  while (input.size() >= 2 && link.wanted) {
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(input[0])) |
                        static_cast<std::size_t>(static_cast<std::uint8_t>(input[1])) << 8;
    input.remove_prefix(2);
    const std::string_view message = input.substr(0, length);
    input.remove_prefix(message.size());
    envoy::service::ext_proc::v3::ProcessingRequest request;
    if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) break;
    bytes += message.size();
    link.wanted = false;
    ProxyMessage next = read_message(request);
    // As the door would, or would not.
    if (first && choice >= 128) next.answered = goes_on(next, handler);
    first = false;
    session.conversation().deliver(std::move(next));
    loop.run_ready();
  }
  if (!link.finished) session.conversation().cancelled();
  loop.run_ready();
  SBX_ASSERT(link.finished);
  SBX_ASSERT(tasks.size() == 0);
  // What is said back is what came, and a little more a message.
  SBX_ASSERT(link.bytes <= 16 * bytes + 65536);
}

}  // namespace
}  // namespace signalbox::listener

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  signalbox::listener::run({reinterpret_cast<const char*>(data), size});
  return 0;
}
