#include "http/chunked.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/assert.h"
#include "base/limits.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

// No body of this size is real; keeps sums of sizes far from overflow.
constexpr std::uint64_t kChunkBytesMax = std::numeric_limits<std::int64_t>::max() >> 4;

}  // namespace

Result<void> ChunkDecoder::expect(char c, char wanted, State then) {
  if (c != wanted) return fail(malformed_, "malformed chunk framing");
  state_ = then;
  return {};
}

Result<void> ChunkDecoder::end_of_size_line() {
  line_bytes_ = 0;
  state_ = left_ > 0 ? State::kData : State::kTrailerBegin;
  return {};
}

Result<void> ChunkDecoder::step_size(char c) {
  if (++line_bytes_ > limits::kChunkLineBytesMax)
    return fail(malformed_, "chunk size line is too long");
  const auto digit = hex_digit(c);
  if (state_ == State::kSizeFirst) {
    if (!digit) return fail(malformed_, "chunk size is not hexadecimal");
    left_ = *digit;
    state_ = State::kSize;
    return {};
  }
  if (state_ == State::kSize && digit) {
    if (left_ > kChunkBytesMax >> 4) return fail(malformed_, "chunk size is too large");
    left_ = left_ << 4 | *digit;
    return {};
  }
  if (c == '\r') {
    state_ = State::kSizeFeed;
    return {};
  }
  const bool opens_extension = c == ';' || c == ' ' || c == '\t';
  if ((state_ == State::kSize && !opens_extension) || !is_field_value({&c, 1})) {
    return fail(malformed_, "malformed chunk size line");
  }
  state_ = State::kExtension;
  return {};
}

Result<void> ChunkDecoder::step_trailer(char c) {
  if (++trailer_bytes_ > limits::kTrailerBytesMax)
    return fail(malformed_, "trailer fields are too large");
  if (c == '\r') {
    state_ = state_ == State::kTrailerBegin ? State::kLastFeed : State::kTrailerFeed;
    return {};
  }
  if (!is_field_value({&c, 1})) return fail(malformed_, "malformed trailer field");
  state_ = State::kTrailer;
  return {};
}

Result<void> ChunkDecoder::step(char c) {
  switch (state_) {
    case State::kSizeFirst:
    case State::kSize:
    case State::kExtension:
      return step_size(c);
    case State::kSizeFeed:
      SBX_CHECK_OK(expect(c, '\n', State::kSizeFeed));
      return end_of_size_line();
    case State::kDataReturn:
      return expect(c, '\r', State::kDataFeed);
    case State::kDataFeed:
      return expect(c, '\n', State::kSizeFirst);
    case State::kTrailerBegin:
    case State::kTrailer:
      return step_trailer(c);
    case State::kTrailerFeed:
      return expect(c, '\n', State::kTrailerBegin);
    case State::kLastFeed:
      return expect(c, '\n', State::kDone);
    case State::kData:
    case State::kDone:
      break;
  }
  return fail(Code::kInternal, "chunk decoder in a state without framing");
}

Result<ChunkDecoder::Step> ChunkDecoder::next(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !done()) {
    if (state_ == State::kData) {
      const auto run = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
      left_ -= run;
      if (left_ == 0) state_ = State::kDataReturn;
      return Step{at + run, bytes.substr(at, run)};
    }
    SBX_CHECK_OK(step(bytes[at]));
    ++at;
  }
  return Step{at, {}};
}

Result<ChunkDecoder::Compacted> ChunkDecoder::compact(std::span<char> bytes) {
  Compacted out;
  char* begin = nullptr;  // first run stays where it is; later runs move up to its end
  std::size_t size = 0;
  while (out.consumed < bytes.size() && !done()) {
    const auto rest = bytes.subspan(out.consumed);
    SBX_TRY(const Step step, next({rest.data(), rest.size()}));
    out.consumed += step.consumed;
    if (step.payload.empty()) continue;
    char* from = bytes.data() + (step.payload.data() - bytes.data());
    if (begin == nullptr) begin = from;
    if (begin + size != from) std::memmove(begin + size, from, step.payload.size());
    size += step.payload.size();
  }
  out.payload = {begin, size};
  return out;
}

Result<std::size_t> ChunkScanner::scan(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !done()) {
    SBX_TRY(const auto step, decoder_.next(bytes.substr(at)));
    at += step.consumed;
  }
  return at;
}

ChunkOpening::ChunkOpening(std::size_t bytes) {
  SBX_ASSERT(bytes > 0);  // a chunk of size 0 would end the body
  char* end = std::to_chars(text_.data(), text_.data() + text_.size(), bytes, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  size_ = static_cast<std::size_t>(end - text_.data());
}

}  // namespace signalbox::http
