#include "response/observer.h"

#include "base/limits.h"
#include "base/text.h"

namespace signalbox::response {
namespace {

bool has_media_type(const http::Headers& headers, std::string_view type) {
  const auto value = headers.get("content-type");
  return equal_ignore_case(trim(value.substr(0, value.find(';'))), type);
}

bool is_encoded(const http::Headers& headers) {
  const auto coding = headers.get("content-encoding");
  return !coding.empty() && !equal_ignore_case(coding, "identity");
}

}  // namespace

void Observer::start(const http::ResponseHead& head) {
  if (is_encoded(head.headers)) return;
  if (has_media_type(head.headers, "text/event-stream")) {
    mode_ = Mode::kEvents;
    hiding_ = options_.hide_usage_chunk;
  } else if (head.status < 300 && has_media_type(head.headers, "application/json")) {
    mode_ = Mode::kJson;
  }
}

void Observer::count_output(TimePoint now) {
  if (!output_seen_) {
    output_seen_ = true;
    usage_.ttft = now - options_.received_at;
    if (options_.first_output) options_.first_output(now);
  } else {
    usage_.itl_sum += now - last_output_;
    ++usage_.itl_count;
  }
  last_output_ = now;
}

FrameFacts Observer::look_at(const http::SseFrame& frame, TimePoint now) {
  const auto facts = read_frame(options_.endpoint, frame, usage_);
  if (facts.output) count_output(now);
  end_seen_ = end_seen_ || facts.end;
  return facts;
}

std::string_view Observer::observe(std::string_view piece, TimePoint now) {
  usage_.body_bytes += piece.size();
  switch (mode_) {
    case Mode::kOpaque:
      return piece;
    case Mode::kEvents:
      return hiding_ ? filter_events(piece, now) : observe_events(piece, now);
    case Mode::kJson:
      break;
  }
  if (!piece.empty() && !output_seen_) count_output(now);
  if (json_.size() + piece.size() > limits::kResponseScanBytesMax) {
    std::string().swap(json_);
    mode_ = Mode::kOpaque;
  } else {
    json_.append(piece);
  }
  return piece;
}

std::string_view Observer::observe_events(std::string_view piece, TimePoint now) {
  reader_.feed(piece);
  while (const auto frame = reader_.next()) look_at(*frame, now);
  return piece;
}

void Observer::pass_or_drop(std::string_view frame_bytes, bool drop) {
  if (!drop) passing_.append(held_).append(frame_bytes);
  held_.clear();
  overlong_ = false;
  dropped_last_ = drop;
}

std::string_view Observer::filter_events(std::string_view piece, TimePoint now) {
  passing_.clear();
  bool whole = held_.empty();  // so far, what passes is the front of the piece
  std::size_t begin = 0;       // of the bytes not yet decided
  const auto take_line_feed = [&] {
    if (!line_feed_follows_ || begin == piece.size()) return;
    line_feed_follows_ = false;
    if (piece[begin] != '\n') return;
    if (!dropped_last_) passing_ += '\n';
    if (dropped_last_) whole = false;
    ++begin;
  };
  take_line_feed();
  reader_.feed(piece);
  while (const auto frame = reader_.next()) {
    const bool drop = look_at(*frame, now).usage_only;
    const auto bytes = piece.substr(begin, frame->end - begin);
    whole = whole && !drop;
    line_feed_follows_ = bytes.ends_with('\r');
    pass_or_drop(bytes, drop);
    begin = frame->end;
    take_line_feed();
  }
  const auto rest = piece.substr(begin);
  if (overlong_ || held_.size() + rest.size() > limits::kSseFrameBytesMax) {
    pass_or_drop(rest, false);
    overlong_ = reader_.inside_frame();
  } else {
    held_.append(rest);
  }
  return whole ? piece.substr(0, passing_.size()) : std::string_view(passing_);
}

std::string_view Observer::finish() {
  passing_.clear();
  if (mode_ == Mode::kJson) read_answer(json_, usage_);
  if (mode_ == Mode::kEvents) {
    const auto frame = reader_.finish();
    // The moment of a frame that only the end of the stream completes is that of the frame before.
    const bool drop = frame && look_at(*frame, last_output_).usage_only && hiding_;
    pass_or_drop({}, drop);
  }
  usage_.complete = end_seen();
  return passing_;
}

}  // namespace signalbox::response
