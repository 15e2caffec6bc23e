#include "pipeline/office.h"

#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "telemetry/trace.h"

namespace signalbox::pipeline {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;

// The answer of a batch's request, kept whole.
class CollectingSink final : public http::ClientSink {
 public:
  net::Task<Result<void>> start(http::ResponseStart head, std::string_view first) override {
    started_ = true;
    answer.status = head.status;
    co_return append(first);
  }
  net::Task<Result<void>> write(std::string_view piece) override { co_return append(piece); }
  net::Task<Result<void>> finish() override {
    finished = true;
    co_return Result<void>{};
  }
  bool started() const override { return started_; }

  batch::Answer answer;
  bool finished = false;

 private:
  Result<void> append(std::string_view piece) {
    if (answer.body.size() + piece.size() > limits::kBatchAnswerBytesMax)
      return fail(Code::kPayloadTooLarge, "the answer is too long for a batch");
    answer.body += piece;
    return {};
  }
  bool started_ = false;
};

}  // namespace

Office::Office(Services& services, const config::Own& own, batch::FileStore files)
    : services_(services),
      loop_(net::make_loop()),
      network_(net::make_network(*loop_)),
      pipeline_(services, *loop_, *network_),
      files_(std::move(files)),
      tasks_(*loop_) {
  if (!own.batches.enabled) return;
  runner_ = std::make_unique<batch::Runner>(
      *loop_, files_, own.batches,
      [this](batch::Request request, net::Cancellation* cancel) {
        return execute(std::move(request), cancel);
      },
      entropy_seed());
}

Office::~Office() { SBX_ASSERT(!thread_.joinable()); }

Result<std::unique_ptr<Office>> Office::open(Services& services, const config::Own& own) {
  SBX_TRY(auto files, batch::FileStore::open(own.files, entropy_seed()));
  return std::unique_ptr<Office>(new Office(services, own, std::move(files)));
}

void Office::start() {
  loop_->post([this] {
    if (!runner_) return;
    if (auto started = runner_->start(); !started) log::error("{}", started.error().message);
  });
  thread_ = std::thread([this] { loop_->run(); });
}

net::Task<void> Office::finish() {
  if (runner_) co_await runner_->stop();
  co_await pipeline_.close();
  loop_->post([this] { loop_->stop(); });
}

void Office::stop() {
  loop_->post([this] { tasks_.spawn(finish()); });
  if (thread_.joinable()) thread_.join();
}

// The client of the batch was let in when it made the batch; its requests count as its own in metrics and logs.
net::Task<batch::Answer> Office::execute(batch::Request request, net::Cancellation* cancel) {
  exchange::Exchange exchange;
  auto& client = exchange.client;
  client.method = "POST";
  client.path = std::move(request.path);
  client.body = std::move(request.body);
  client.headers.add("content-type", "application/json");
  client.request_id = request.id;
  client.trace_id = request.id;
  client.span_id = request.id.substr(0, 16);
  client.received_at = loop_->now();
  const auto total = services_.snapshots.current()->config->own.limits.total_timeout;
  client.deadline = Deadline::after(loop_->now(), total);
  exchange.identity.key_name = std::move(request.owner);
  exchange.inside = true;
  CollectingSink sink;
  net::Cancellation gone;
  const net::Cancellation::Registration registration(*cancel, [&gone] { gone.cancel(); });
  co_await pipeline_.handle(exchange, sink, gone);
  if (sink.finished) co_return std::move(sink.answer);
  batch::Answer broken;
  broken.body = "the answer broke off";
  co_return broken;
}

template <class T, class Fn>
net::Task<Result<T>> Office::hand_over(Fn work, net::Loop* loop, Deadline deadline) {
  if (waiting_.fetch_add(1) >= limits::kOfficeQueueMax) {
    waiting_.fetch_sub(1);
    co_return fail(Code::kOverloaded, "too many calls of files and batches wait");
  }
  const net::OneShot<Result<T>> done(*loop);
  loop_->post([this, done, work = std::move(work)]() mutable {
    waiting_.fetch_sub(1);
    done.set(work());
  });
  auto result = co_await done.wait(deadline);
  if (!result) co_return fail(Code::kOverloaded, "files and batches take too long");
  co_return *std::move(result);
}

net::Task<Result<batch::Reply>> Office::ask(batch::Call call, net::Loop* loop, Deadline deadline) {
  auto work = [this, call = std::move(call)] { return batch::answer(call, files_, runner_.get()); };
  co_return co_await hand_over<batch::Reply>(std::move(work), loop, deadline);
}

net::Task<Result<std::string>> Office::read(std::string id, std::uint64_t offset, net::Loop* loop,
                                            Deadline deadline) {
  auto work = [this, id = std::move(id), offset] { return files_.read(id, offset, kPieceBytes); };
  co_return co_await hand_over<std::string>(std::move(work), loop, deadline);
}

}  // namespace signalbox::pipeline
