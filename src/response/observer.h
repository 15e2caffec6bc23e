// Watches an answer while it is relayed: token counts, time to the first token and between tokens, whether the end came.
// Looks at the bytes that pass and keeps none of them, with three bounded exceptions: the unfinished frame of an event
// stream, a JSON answer up to kResponseScanBytesMax, and frames held while one must be hidden (see below).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "exchange/exchange.h"
#include "http/response_head.h"
#include "http/sse.h"
#include "response/answer_reader.h"

namespace signalbox::response {

class Observer {
 public:
  struct Options {
    exchange::Endpoint endpoint = exchange::Endpoint::kOther;
    TimePoint received_at;  // of the request: where the time to the first token starts
    // We asked for usage (stream_options.include_usage) and the client did not: the chunk that holds nothing else must
    // not reach it. Only then, and only in event streams, a frame is passed on when it is complete and not before; every
    // engine sends whole frames, so this delays nothing in practice. Frames over kSseFrameBytesMax pass as they come.
    bool hide_usage_chunk = false;
    // Called with the first piece of output, before it is passed on. May be empty.
    std::function<void(TimePoint)> first_output;
  };
  explicit Observer(Options options) : options_(std::move(options)) {}

  // Once, before the first piece: status and type decide what is looked at.
  void start(const http::ResponseHead& head);
  // The bytes to pass on for this piece: normally the piece itself. Valid until the next call.
  std::string_view observe(std::string_view piece, TimePoint now);
  // The body ended as its framing says. Returns bytes still to be passed on (a held frame without its empty line).
  std::string_view finish();
  bool event_stream() const { return mode_ == Mode::kEvents; }
  // The answer may be changed on its way: its announced length does not hold.
  bool may_change_length() const { return hiding_; }
  // The engine's end mark came ([DONE], message_stop, response.completed ...), or there is none in this kind of answer.
  bool end_seen() const { return end_seen_ || !event_stream() || !has_end_mark(options_.endpoint); }
  // A part of a frame was passed on and its rest was not.
  bool inside_passed_frame() const {
    return event_stream() && reader_.inside_frame() && held_.empty();
  }
  const exchange::Usage& usage() const { return usage_; }

 private:
  enum class Mode : std::uint8_t { kOpaque, kEvents, kJson };
  void count_output(TimePoint now);
  FrameFacts look_at(const http::SseFrame& frame, TimePoint now);
  std::string_view observe_events(std::string_view piece, TimePoint now);
  std::string_view filter_events(std::string_view piece, TimePoint now);
  void pass_or_drop(std::string_view frame_bytes, bool drop);

  Options options_;
  Mode mode_ = Mode::kOpaque;
  bool hiding_ = false;
  bool end_seen_ = false;
  bool output_seen_ = false;
  TimePoint last_output_;
  exchange::Usage usage_;
  http::SseReader reader_;
  std::string json_;  // the answer so far, in JSON mode
  // Only while hiding:
  std::string held_;  // the unfinished frame
  std::string
      passing_;  // what is passed on for this piece, when that is not a part of the piece itself
  bool overlong_ = false;  // the unfinished frame is too long to be held and passes as it comes
  bool line_feed_follows_ = false;  // the last frame ended in CR: a LF belongs to it
  bool dropped_last_ = false;       // and so goes the way of that frame
};

}  // namespace signalbox::response
