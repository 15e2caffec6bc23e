#include "net/lookup.h"

#include <netdb.h>

#include <cstring>
#include <memory>
#include <utility>

namespace signalbox::net {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<Endpoints> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (failed != 0) return fail(Code::kUpstreamConnect, ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, FreeAddresses> owned(list);
  Endpoints found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    Endpoint endpoint;
    endpoint.bytes = entry->ai_addrlen;
    std::memcpy(&endpoint.storage, entry->ai_addr, entry->ai_addrlen);
    found.push_back(endpoint);
  }
  return found;
}

}  // namespace

std::optional<Endpoint> parse_literal(const std::string& text, std::uint16_t port) {
  const auto found = look_up(text, port, AI_NUMERICHOST);
  if (!found || found->empty()) return std::nullopt;
  return found->front();
}

AddressLookup::~AddressLookup() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    questions_.clear();
  }
  asked_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AddressLookup::resolve(std::string host, std::uint16_t port,
                            OneShot<Result<Endpoints>> answer) {
  {
    const std::lock_guard lock(mutex_);
    if (questions_.size() >= kQuestionsMax) {
      answer.set(fail(Code::kUpstreamConnect, "too many names wait to be resolved"));
      return;
    }
    questions_.push_back({std::move(host), port, std::move(answer)});
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  asked_.notify_one();
}

void AddressLookup::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    asked_.wait(lock, [&] { return stopping_ || !questions_.empty(); });
    if (stopping_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    question.answer.set(look_up(question.host, question.port, AI_ADDRCONFIG));
  }
}

}  // namespace signalbox::net
