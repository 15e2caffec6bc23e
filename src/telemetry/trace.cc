#include "telemetry/trace.h"

#include <algorithm>
#include <iterator>

#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

template <std::size_t kSize>
std::string hex_of(const std::array<std::uint8_t, kSize>& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * kSize);
  for (const std::uint8_t byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

// Upper case is refused: the header's grammar has only lower case.
std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

template <std::size_t kSize>
std::optional<std::array<std::uint8_t, kSize>> bytes_of(std::string_view hex) {
  if (hex.size() != 2 * kSize) return std::nullopt;
  std::array<std::uint8_t, kSize> bytes{};
  for (std::size_t i = 0; i < kSize; ++i) {
    const auto high = digit(hex[2 * i]);
    const auto low = digit(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return bytes;
}

template <std::size_t kSize>
bool all_zero(const std::array<std::uint8_t, kSize>& bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

template <std::size_t kSize>
std::array<std::uint8_t, kSize> random_bytes(Random& random) {
  std::array<std::uint8_t, kSize> bytes{};
  while (all_zero(bytes)) {
    for (std::size_t i = 0; i < kSize; i += 8) {
      const std::uint64_t word = random.next();
      for (std::size_t j = 0; j < 8; ++j) bytes[i + j] = static_cast<std::uint8_t>(word >> (8 * j));
    }
  }
  return bytes;
}

}  // namespace

TraceId make_trace_id(Random& random) { return random_bytes<16>(random); }
SpanId make_span_id(Random& random) { return random_bytes<8>(random); }
bool is_zero(const TraceId& id) { return all_zero(id); }
bool is_zero(const SpanId& id) { return all_zero(id); }
std::string to_hex(const TraceId& id) { return hex_of(id); }
std::string to_hex(const SpanId& id) { return hex_of(id); }

std::optional<TraceId> parse_trace_id(std::string_view hex) {
  auto id = bytes_of<16>(hex);
  return id && is_zero(*id) ? std::nullopt : id;
}

std::optional<SpanId> parse_span_id(std::string_view hex) {
  auto id = bytes_of<8>(hex);
  return id && is_zero(*id) ? std::nullopt : id;
}

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  constexpr std::size_t kSize = 55;  // 2-32-16-2 digits and three dashes
  if (header.size() < kSize || header[2] != '-' || header[35] != '-' || header[52] != '-')
    return std::nullopt;
  const auto version = bytes_of<1>(header.substr(0, 2));
  if (!version || (*version)[0] == 0xff) return std::nullopt;
  if (header.size() > kSize && ((*version)[0] == 0 || header[kSize] != '-')) return std::nullopt;
  const auto trace_id = parse_trace_id(header.substr(3, 32));
  const auto span_id = parse_span_id(header.substr(36, 16));
  const auto flags = bytes_of<1>(header.substr(53, 2));
  if (!trace_id || !span_id || !flags) return std::nullopt;
  return TraceContext{*trace_id, *span_id, ((*flags)[0] & 1) != 0};
}

std::string format_traceparent(const TraceContext& context) {
  return "00-" + to_hex(context.trace_id) + "-" + to_hex(context.span_id) +
         (context.sampled ? "-01" : "-00");
}

void Span::set(std::string_view key, std::string_view value) {
  std::size_t size = std::min(value.size(), limits::kSpanTextBytesMax);
  while (size > 0 && size < value.size() &&
         (static_cast<unsigned char>(value[size]) & 0xc0) == 0x80)
    --size;
  add(key, std::string(value.substr(0, size)));
}

void Span::add(std::string_view key, AttributeValue value) {
  if (attributes.size() < limits::kSpanAttributesMax)
    attributes.emplace_back(key, std::move(value));
}

Sampler::Sampler(Kind kind, double rate) : kind_(kind), threshold_(0) {
  const double kept = std::clamp(rate, 0.0, 1.0);
  constexpr double kRange = 9223372036854775808.0;  // 2^63
  threshold_ = static_cast<std::uint64_t>(kept * kRange);
}

bool Sampler::sample(const TraceId& trace_id, const std::optional<TraceContext>& parent) const {
  if (kind_ == Kind::kAlwaysOff) return false;
  if (parent) return parent->sampled;
  if (kind_ == Kind::kAlwaysOn) return true;
  // The last bytes: the first ones are a timestamp in some vendors' ids.
  std::uint64_t word = 0;
  for (std::size_t i = 8; i < 16; ++i) word = word << 8 | trace_id[i];
  return (word >> 1) < threshold_;
}

bool SpanQueue::push(Span span) {
  {
    const std::lock_guard lock(mutex_);
    if (spans_.size() < limits::kSpanQueueMax) {
      spans_.push_back(std::move(span));
      return true;
    }
  }
  dropped_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::vector<Span> SpanQueue::take(std::size_t max) {
  const std::lock_guard lock(mutex_);
  const auto count = static_cast<std::ptrdiff_t>(std::min(max, spans_.size()));
  std::vector<Span> taken(std::make_move_iterator(spans_.begin()),
                          std::make_move_iterator(spans_.begin() + count));
  spans_.erase(spans_.begin(), spans_.begin() + count);
  return taken;
}

std::size_t SpanQueue::size() const {
  const std::lock_guard lock(mutex_);
  return spans_.size();
}

}  // namespace signalbox::telemetry
