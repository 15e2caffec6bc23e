// Reads HTTP/1.1 responses of a server we trust, as cheaply as a load generator must: status, the end of the body, and
// how many SSE events ("data:" at the start of a line) came by. Not for hostile input.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace signalbox::bench {

class ResponseReader {
 public:
  // Takes bytes as they come. True when the response is complete; bytes behind it are ignored.
  bool feed(std::string_view bytes) {
    if (phase_ == Phase::kHead) {
      head_.append(bytes);
      const auto end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      const std::string rest = head_.substr(end + 4);
      head_.resize(end + 2);
      read_head();
      return consume(rest);
    }
    return consume(bytes);
  }

  void reset() { *this = ResponseReader(); }

  int status() const { return status_; }
  std::uint64_t events() const { return events_; }
  bool closes() const { return closes_; }

 private:
  enum class Phase : std::uint8_t {
    kHead,
    kLength,
    kChunkSize,
    kChunk,
    kChunkEnd,
    kTrailer,
    kDone
  };

  void read_head() {
    status_ = std::atoi(head_.c_str() + 9);
    for (char& c : head_)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    closes_ = head_.find("\r\nconnection: close") != std::string::npos;
    if (head_.find("\r\ntransfer-encoding: chunked") != std::string::npos) {
      phase_ = Phase::kChunkSize;
      return;
    }
    const auto length = head_.find("\r\ncontent-length:");
    left_ =
        length == std::string::npos ? 0 : std::strtoull(head_.c_str() + length + 17, nullptr, 10);
    phase_ = left_ == 0 ? Phase::kDone : Phase::kLength;
  }

  bool consume(std::string_view bytes) {
    while (!bytes.empty() && phase_ != Phase::kDone) {
      if (phase_ == Phase::kLength || phase_ == Phase::kChunk) {
        const auto take = bytes.substr(0, left_);
        count_events(take);
        left_ -= take.size();
        bytes.remove_prefix(take.size());
        if (left_ == 0) phase_ = phase_ == Phase::kLength ? Phase::kDone : Phase::kChunkEnd;
      } else {
        take_framing(bytes.front());
        bytes.remove_prefix(1);
      }
    }
    return phase_ == Phase::kDone;
  }

  // One byte of chunk framing: "SIZE\r\n", "\r\n" behind a chunk, "\r\n" behind the last.
  void take_framing(char c) {
    if (phase_ == Phase::kChunkEnd) {
      if (c == '\n') phase_ = Phase::kChunkSize;
    } else if (phase_ == Phase::kTrailer) {
      if (c == '\n') phase_ = Phase::kDone;
    } else if (c == '\n') {
      left_ = std::strtoull(size_line_.c_str(), nullptr, 16);
      size_line_.clear();
      phase_ = left_ == 0 ? Phase::kTrailer : Phase::kChunk;
    } else {
      size_line_.push_back(c);
    }
  }

  void count_events(std::string_view bytes) {
    static constexpr std::string_view kField = "data:";
    for (const char c : bytes) {
      if (c == '\n') {
        matched_ = 0;
      } else if (matched_ < kField.size()) {
        matched_ = c == kField[matched_] ? matched_ + 1 : kField.size() + 1;
        if (matched_ == kField.size()) ++events_;
      }
    }
  }

  Phase phase_ = Phase::kHead;
  std::string head_;
  std::string size_line_;
  std::uint64_t left_ = 0;
  std::uint64_t events_ = 0;
  std::size_t matched_ = 0;
  int status_ = 0;
  bool closes_ = false;
};

}  // namespace signalbox::bench
