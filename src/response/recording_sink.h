// Test double of a door: records what the client would see, write by write, and can go away.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "http/client_sink.h"

namespace signalbox::response {

class RecordingSink final : public http::ClientSink {
 public:
  net::Task<Result<void>> start(http::ResponseStart head, std::string_view first) override {
    head_ = std::move(head);
    return write(first);
  }
  net::Task<Result<void>> write(std::string_view piece) override {
    if (writes_.size() >= writes_max_) co_return fail(Code::kCancelled, "client went away");
    writes_.emplace_back(piece);
    co_return Result<void>{};
  }
  net::Task<Result<void>> finish() override {
    finished_ = true;
    co_return Result<void>{};
  }
  bool started() const override { return head_.has_value(); }

  // The client goes away after so many writes.
  void accept_only(std::size_t writes) { writes_max_ = writes; }
  const http::ResponseStart& head() const { return *head_; }
  bool finished() const { return finished_; }
  const std::vector<std::string>& writes() const { return writes_; }
  std::string body() const {
    std::string out;
    for (const auto& write : writes_) out += write;
    return out;
  }

 private:
  std::optional<http::ResponseStart> head_;
  std::vector<std::string> writes_;
  std::size_t writes_max_ = static_cast<std::size_t>(-1);
  bool finished_ = false;
};

}  // namespace signalbox::response
