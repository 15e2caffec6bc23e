#include "net/resolver.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace signalbox::net {
namespace {

constexpr std::size_t kQuestionsMax = 64;
constexpr int kRetrySeconds = 2;
constexpr int kTries = 2;

using Records = std::vector<DnsRecord>;

// glibc's resolver state, with another server than the system's where one is named.
class ResolverState {
 public:
  ResolverState() = default;
  ResolverState(const ResolverState&) = delete;
  ResolverState& operator=(const ResolverState&) = delete;
  ~ResolverState() {
    if (open_) res_nclose(&state_);
  }

  Result<void> open(const std::string& server) {
    if (res_ninit(&state_) != 0) return fail(Code::kUnavailable, "no DNS configuration");
    open_ = true;
    state_.retrans = kRetrySeconds;
    state_.retry = kTries;
    if (server.empty()) return {};
    const auto colon = server.rfind(':');
    const auto port = colon == std::string::npos ? 53 : parse_uint(server.substr(colon + 1));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (!port || *port == 0 || *port > 65535 ||
        inet_pton(AF_INET, server.substr(0, colon).c_str(), &address.sin_addr) != 1) {
      return fail(Code::kInvalidArgument,
                  fmt::format("DNS server '{}' is not an IPv4 address with port", server));
    }
    address.sin_port = htons(static_cast<std::uint16_t>(*port));
    state_.nsaddr_list[0] = address;
    state_.nscount = 1;
    return {};
  }

  // The answer section; empty when the name or the type does not exist.
  Result<std::string> ask(const std::string& name, int type) {
    std::string answer(limits::kDnsAnswerBytesMax, '\0');
    const int size = res_nquery(&state_, name.c_str(), ns_c_in, type,
                                reinterpret_cast<unsigned char*>(answer.data()),
                                static_cast<int>(answer.size()));
    if (size < 0) {
      if (state_.res_h_errno == HOST_NOT_FOUND || state_.res_h_errno == NO_DATA)
        return std::string();
      return fail(Code::kUnavailable, fmt::format("no answer for {}", name));
    }
    answer.resize(std::min(answer.size(), static_cast<std::size_t>(size)));
    return answer;
  }

 private:
  struct __res_state state_{};
  bool open_ = false;
};

// Calls fn(message, record) for each record of that type in an answer.
template <class Fn>
void each_record(const std::string& answer, int type, Fn fn) {
  ns_msg message;
  if (answer.empty() || ns_initparse(reinterpret_cast<const unsigned char*>(answer.data()),
                                     static_cast<int>(answer.size()), &message) != 0) {
    return;
  }
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return;
    if (static_cast<int>(ns_rr_type(record)) == type) fn(message, record);
  }
}

Result<Records> ask_addresses(ResolverState& state, const std::string& name) {
  Records found;
  for (const auto& [type, family, size] :
       {std::tuple{ns_t_a, AF_INET, 4}, std::tuple{ns_t_aaaa, AF_INET6, 16}}) {
    SBX_TRY(const auto answer, state.ask(name, type));
    each_record(answer, type,
                [&, family = family, size = size](const ns_msg&, const ns_rr& record) {
                  std::array<char, INET6_ADDRSTRLEN> text{};
                  if (static_cast<int>(ns_rr_rdlen(record)) != size) return;
                  if (inet_ntop(family, ns_rr_rdata(record), text.data(), text.size()) == nullptr)
                    return;
                  found.push_back({text.data(), 0, 1});
                });
  }
  return found;
}

// Through the system, which knows /etc/hosts and search domains.
Result<Records> system_addresses(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (error == EAI_NONAME || error == EAI_NODATA) return Records{};
  if (error != 0) return fail(Code::kUnavailable, fmt::format("{}: {}", name, gai_strerror(error)));
  Records found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      found.push_back({text.data(), 0, 1});
    }
  }
  freeaddrinfo(list);
  return found;
}

struct Service {
  int priority = 0;
  int weight = 0;
  std::uint16_t port = 0;
  std::string target;
};

std::vector<Service> services_in(const std::string& answer) {
  std::vector<Service> services;
  each_record(answer, ns_t_srv, [&](const ns_msg& message, const ns_rr& record) {
    constexpr int kFixedBytes = 6;
    if (ns_rr_rdlen(record) <= kFixedBytes) return;
    const unsigned char* data = ns_rr_rdata(record);
    const auto number = [data](int at) { return data[at] << 8 | data[at + 1]; };
    std::array<char, NS_MAXDNAME> name{};
    if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + kFixedBytes,
                           name.data(), name.size()) < 0) {
      return;
    }
    services.push_back({number(0), number(2), static_cast<std::uint16_t>(number(4)), name.data()});
  });
  return services;
}

Result<Records> ask_services(ResolverState& state, const DnsQuestion& question) {
  SBX_TRY(const auto answer, state.ask(question.name, ns_t_srv));
  const auto services = services_in(answer);
  const auto best = std::ranges::min_element(services, {}, &Service::priority);
  Records found;
  for (const Service& service : services) {
    if (service.priority != best->priority || service.target.empty() || service.target == ".")
      continue;
    SBX_TRY(auto addresses, ask_addresses(state, service.target));
    if (addresses.empty() && question.server.empty()) {
      SBX_TRY(addresses, system_addresses(service.target));
    }
    for (DnsRecord& record : addresses)
      found.push_back({std::move(record.address), service.port, std::max(1, service.weight)});
  }
  return found;
}

Result<Records> answer(const DnsQuestion& question) {
  Records records;
  if (!question.srv && question.server.empty()) {
    SBX_TRY(records, system_addresses(question.name));
  } else {
    ResolverState state;
    SBX_CHECK_OK(state.open(question.server));
    if (question.srv) {
      SBX_TRY(records, ask_services(state, question));
    } else {
      SBX_TRY(records, ask_addresses(state, question.name));
    }
  }
  std::ranges::sort(records);
  const auto repeated = std::ranges::unique(records);
  records.erase(repeated.begin(), repeated.end());
  if (records.size() > limits::kDiscoveredEnginesMax) records.resize(limits::kDiscoveredEnginesMax);
  return records;
}

class ThreadResolver final : public Resolver {
 public:
  explicit ThreadResolver(Loop& loop) : loop_(loop), thread_([this] { run(); }) {}
  ~ThreadResolver() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
    *alive_ = false;
  }

  void look_up(DnsQuestion question, Done done) override {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= kQuestionsMax) {
      loop_.post([done = std::move(done)] {
        done(fail(Code::kOverloaded, "too many DNS questions are under way"));
      });
      return;
    }
    jobs_.emplace_back(std::move(question), std::move(done));
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
      if (ended_) return;
      auto [question, done] = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      auto records = answer(question);
      loop_.post([alive = alive_, done = std::move(done), records = std::move(records)]() mutable {
        if (*alive) done(std::move(records));
      });
      lock.lock();
    }
  }

  Loop& loop_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // read on the loop's thread only
  std::mutex mutex_;                                            // guards jobs_ and ended_
  std::condition_variable wake_;
  std::deque<std::pair<DnsQuestion, Done>> jobs_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Resolver> make_resolver(Loop& loop) {
  return std::make_unique<ThreadResolver>(loop);
}

}  // namespace signalbox::net
