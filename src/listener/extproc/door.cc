#include "listener/extproc/door.h"

#include <utility>

#include "api/error_body.h"

namespace signalbox::listener {

void Inbox::deliver(const std::shared_ptr<Inbox>& inbox, ProxyMessage message) {
  inbox->loop.run_or_post([inbox, message = std::move(message)]() mutable {
    if (inbox->conversation != nullptr) inbox->conversation->deliver(std::move(message));
  });
}

void Inbox::close(const std::shared_ptr<Inbox>& inbox) {
  inbox->loop.run_or_post([inbox] {
    inbox->closed = true;
    if (inbox->conversation != nullptr) inbox->conversation->cancelled();
  });
}

bool ExtProcDoor::accept(ProxyLink* link, std::shared_ptr<Inbox> inbox) {
  const bool full =
      open_streams_.fetch_add(1, std::memory_order_relaxed) >= limits::kExtProcStreamsMax;
  loop_.run_or_post([this, link, full, inbox = std::move(inbox)]() mutable {
    if (!full) return sessions_.spawn(serve(link, std::move(inbox)));
    open_streams_.fetch_sub(1, std::memory_order_relaxed);
    refuse(*link);
  });
  return !full;
}

bool goes_on(const ProxyMessage& first, const ProxyHandler& handler) {
  if (first.part != HttpPart::kRequestHeaders || first.end_of_stream || first.observed)
    return false;
  if (!first.modes || first.modes->request != BodyMode::kBuffered) return false;
  const std::string_view target = first.headers.get(":path");
  return handler.concerns(target.substr(0, target.find('?')));
}

void ExtProcDoor::refuse(ProxyLink& link) {
  const Error error{.code = Code::kOverloaded,
                    .message = "too many requests under way: kExtProcStreamsMax is reached",
                    .param = {}};
  ImmediateReply reply;
  reply.status = traits(error.code).http_status;
  reply.headers = {{"content-type", "application/json"}, {"retry-after", "1"}};
  reply.body = api::openai_error(error);
  link.send(std::move(reply));
  link.finish(std::nullopt);
  instruments_.extproc_streams.with("refused").add();
}

net::Task<void> ExtProcDoor::serve(ProxyLink* link, std::shared_ptr<Inbox> inbox) {
  instruments_.extproc_streams_open.add(1);
  SessionEnd end = SessionEnd::kBroken;
  {
    const auto settings = settings_();
    Session session(*link, loop_, handler_, random_);
    inbox->conversation = &session.conversation();
    if (inbox->closed) session.conversation().cancelled();
    end = co_await session.serve(settings.get());
    inbox->conversation = nullptr;
  }
  instruments_.extproc_streams.with(session_end_name(end)).add();
  instruments_.extproc_streams_open.add(-1);
  open_streams_.fetch_sub(1, std::memory_order_relaxed);
}

net::Task<void> ExtProcDoor::drain(Deadline deadline) {
  // The server cancels what is left at its own deadline; this one only guards against a server that does not end.
  static_cast<void>(co_await closed_.wait(deadline));
  co_await sessions_.join();
}

}  // namespace signalbox::listener
