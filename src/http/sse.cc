#include "http/sse.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/text.h"

namespace signalbox::http {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// Offset of the next line end from `at` on, or the size.
std::size_t find_line_end(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_line_end(text[at])) ++at;
  return at;
}

}  // namespace

void SseReader::feed(std::string_view piece) {
  SBX_ASSERT(at_ == piece_.size());
  if (tail_taken_) tail_.clear();
  tail_taken_ = false;
  piece_ = piece;
  at_ = 0;
  frame_begin_ = 0;
}

std::optional<std::size_t> SseReader::find_frame_end() {
  while (at_ < piece_.size()) {
    const char c = piece_[at_];
    if (!is_line_end(c)) {
      at_ = find_line_end(piece_, at_);
      line_has_bytes_ = true;
      after_return_ = false;
      continue;
    }
    ++at_;
    const bool second_half = c == '\n' && after_return_;
    after_return_ = c == '\r';
    const bool empty_line = !line_has_bytes_;
    frame_has_lines_ = frame_has_lines_ || line_has_bytes_;
    line_has_bytes_ = false;
    if (!frame_has_lines_) {
      start_frame();
    } else if (empty_line && !second_half) {
      return at_;
    }
  }
  return std::nullopt;
}

void SseReader::start_frame() {
  frame_begin_ = at_;
  frame_bytes_ = 0;
  frame_has_lines_ = false;
  stream_start_ = false;
}

std::optional<SseFrame> SseReader::next() {
  if (tail_taken_) tail_.clear();
  tail_taken_ = false;
  const auto end = find_frame_end();
  const auto bytes = piece_.substr(frame_begin_, at_ - frame_begin_);
  frame_bytes_ += bytes.size();
  if (end) return take_frame(bytes, *end);
  if (frame_bytes_ <= limits::kSseFrameBytesMax) {
    tail_.append(bytes);
  } else {
    std::string().swap(tail_);
  }
  frame_begin_ = at_;
  return std::nullopt;
}

std::optional<SseFrame> SseReader::take_frame(std::string_view bytes, std::size_t end) {
  SseFrame frame;
  if (frame_bytes_ > limits::kSseFrameBytesMax) {
    std::string().swap(tail_);
    frame.overlong = true;
  } else if (tail_.empty()) {
    frame = parse(bytes);
  } else {
    tail_.append(bytes);
    tail_taken_ = true;
    frame = parse(tail_);
  }
  frame.end = end;
  start_frame();
  return frame;
}

std::optional<SseFrame> SseReader::finish() {
  SBX_ASSERT(at_ == piece_.size());
  if (!inside_frame()) return std::nullopt;
  line_has_bytes_ = false;
  return take_frame({}, piece_.size());
}

SseFrame SseReader::parse(std::string_view text) {
  if (stream_start_ && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  SseFrame frame;
  data_lines_ = 0;
  while (!text.empty()) {
    const auto end = find_line_end(text, 0);
    if (end != 0) parse_line(text.substr(0, end), frame);
    if (end == text.size()) break;
    text.remove_prefix(end +
                       1);  // the LF of a CRLF reads as an empty line, which says nothing here
  }
  frame.has_data = data_lines_ > 0;
  return frame;
}

void SseReader::parse_line(std::string_view line, SseFrame& frame) {
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (++data_lines_ == 1) {
      frame.data = value;
      return;
    }
    if (data_lines_ == 2) joined_.assign(frame.data);
    joined_ += '\n';
    joined_ += value;
    frame.data = joined_;
  } else if (name == "event") {
    frame.event = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) frame.id = value;
  } else if (name == "retry") {
    if (const auto ms = parse_uint(value)) frame.retry_ms = ms;
  }
}

}  // namespace signalbox::http
