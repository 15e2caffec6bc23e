// Names to addresses. getaddrinfo can only be waited for, so a thread does that: started at the first name, one name at a
// time, a bounded number waiting. Nothing outside net/ includes this.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "net/loop.h"
#include "net/socket.h"

namespace signalbox::net {

using Endpoints = std::vector<Endpoint>;

// The address that an IP literal means, without asking anybody; nothing if it is none.
std::optional<Endpoint> parse_literal(const std::string& text, std::uint16_t port);

class AddressLookup {
 public:
  AddressLookup() = default;
  AddressLookup(const AddressLookup&) = delete;
  AddressLookup& operator=(const AddressLookup&) = delete;
  // Waits for the name being looked up.
  ~AddressLookup();

  // Sets `answer` when the name is known, from the resolver's thread. Errors: kUpstreamConnect (unknown; too many wait).
  void resolve(std::string host, std::uint16_t port, OneShot<Result<Endpoints>> answer);

 private:
  struct Question {
    std::string host;
    std::uint16_t port;
    OneShot<Result<Endpoints>> answer;
  };
  static constexpr std::size_t kQuestionsMax = 1024;
  void work();

  std::mutex mutex_;
  std::condition_variable asked_;
  std::deque<Question> questions_;  // under mutex_
  bool stopping_ = false;           // under mutex_
  std::thread thread_;
};

}  // namespace signalbox::net
