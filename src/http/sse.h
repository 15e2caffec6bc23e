// Incremental reader of server-sent events (WHATWG HTML, "Server-sent events", section 9.2.6): lines end in LF, CRLF or
// CR, data lines join with LF, comments and unknown fields are skipped, one leading byte order mark is dropped.
// Works beside a relay on views of the bytes that pass: only the unfinished frame at the end of a piece is copied.
// Gives the same frames wherever the stream is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox::http {

// One event. Views are valid until the next call of SseReader::next() or feed().
struct SseFrame {
  std::string_view event;  // empty: "message"
  std::string_view data;   // data lines joined by LF
  std::string_view id;     // as set within this frame
  std::optional<std::uint64_t> retry_ms;
  bool has_data = false;  // a browser would dispatch it; false for comments and lone fields
  bool overlong = false;  // more than kSseFrameBytesMax bytes: reported without content
  std::size_t end = 0;    // offset in the piece given to feed(), one past the frame's last byte
};

class SseReader {
 public:
  // Takes the next bytes of the stream, borrowed until next() has returned nothing; call next() until then.
  void feed(std::string_view piece);
  // The next complete frame, or nothing: then all bytes are looked at and the rest is kept. Runs of empty lines are no
  // frames. A frame that ends in CR is reported at once; the LF of a CRLF that follows belongs to the next frame.
  std::optional<SseFrame> next();
  // At the end of the stream: the frame that lacks its empty line, if there is one. A browser drops it; several engines
  // end their last event so, and what they say there (the end mark, usage) counts.
  std::optional<SseFrame> finish();
  // True if bytes of an unfinished frame are pending.
  bool inside_frame() const { return frame_has_lines_ || line_has_bytes_; }

 private:
  // Offset one past the empty line that ends the current frame, or nothing.
  std::optional<std::size_t> find_frame_end();
  void start_frame();
  std::optional<SseFrame> take_frame(std::string_view bytes, std::size_t end);
  SseFrame parse(std::string_view frame);
  void parse_line(std::string_view line, SseFrame& frame);

  std::string_view piece_;
  std::size_t at_ = 0;           // next byte of the piece to look at
  std::size_t frame_begin_ = 0;  // where the current frame starts in the piece
  std::string tail_;             // bytes of the current frame from earlier pieces
  std::string joined_;           // data of a frame with several data lines
  std::size_t frame_bytes_ = 0;  // of the current frame, all pieces; counts on past the limit
  std::size_t data_lines_ = 0;
  bool line_has_bytes_ = false;
  bool frame_has_lines_ = false;  // a line that is not empty
  bool after_return_ = false;     // the last byte was CR: a LF now is part of the same line end
  bool tail_taken_ = false;       // tail_ holds the frame last returned
  bool stream_start_ = true;      // a byte order mark may stand here
};

}  // namespace signalbox::http
