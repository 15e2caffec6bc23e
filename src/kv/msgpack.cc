#include "kv/msgpack.h"

#include <bit>

#include "base/limits.h"

namespace signalbox::kv {
namespace {

// First bytes of values, by the specification's names.
constexpr std::uint8_t kNil = 0xc0;
constexpr std::uint8_t kFalse = 0xc2;
constexpr std::uint8_t kTrue = 0xc3;
constexpr std::uint8_t kBin8 = 0xc4;
constexpr std::uint8_t kExt8 = 0xc7;
constexpr std::uint8_t kExt32 = 0xc9;
constexpr std::uint8_t kFloat32 = 0xca;
constexpr std::uint8_t kFloat64 = 0xcb;
constexpr std::uint8_t kUint8 = 0xcc;
constexpr std::uint8_t kInt8 = 0xd0;
constexpr std::uint8_t kInt64 = 0xd3;
constexpr std::uint8_t kFixExt1 = 0xd4;
constexpr std::uint8_t kFixExt16 = 0xd8;
constexpr std::uint8_t kStr8 = 0xd9;
constexpr std::uint8_t kArray16 = 0xdc;
constexpr std::uint8_t kArray32 = 0xdd;
constexpr std::uint8_t kMap16 = 0xde;
constexpr std::uint8_t kMap32 = 0xdf;
constexpr std::uint8_t kNegativeFix = 0xe0;

bool is_fix_int(std::uint8_t tag) { return tag < 0x80 || tag >= kNegativeFix; }
bool is_fix_str(std::uint8_t tag) { return (tag & 0xe0) == 0xa0; }
bool is_fix_array(std::uint8_t tag) { return (tag & 0xf0) == 0x90; }
bool is_fix_map(std::uint8_t tag) { return (tag & 0xf0) == 0x80; }
bool is_bin(std::uint8_t tag) { return tag >= kBin8 && tag < kExt8; }
bool is_str(std::uint8_t tag) { return tag >= kStr8 && tag < kArray16; }
bool is_int(std::uint8_t tag) { return tag >= kUint8 && tag <= kInt64; }

std::uint64_t sign_extend(std::uint64_t value, std::size_t bytes) {
  const auto unused = 64 - 8 * bytes;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

}  // namespace

std::nullopt_t MsgpackReader::fail() {
  failed_ = true;
  at_ = bytes_.size();
  return std::nullopt;
}

std::optional<std::uint8_t> MsgpackReader::peek() const {
  if (failed_ || at_ >= bytes_.size()) return std::nullopt;
  return static_cast<std::uint8_t>(bytes_[at_]);
}

std::optional<std::uint64_t> MsgpackReader::big_endian(std::size_t size) {
  if (failed_ || bytes_.size() - at_ < size) return fail();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | static_cast<std::uint8_t>(bytes_[at_ + i]);
  at_ += size;
  return value;
}

std::optional<std::string_view> MsgpackReader::take(std::uint64_t size) {
  if (failed_ || bytes_.size() - at_ < size) return fail();
  const auto taken = bytes_.substr(at_, size);
  at_ += size;
  return taken;
}

// The length behind one of three tags in a row: of 1, 2 or 4 bytes.
std::optional<std::uint64_t> MsgpackReader::sized(std::uint8_t tag) {
  return big_endian(std::size_t{1} << tag);
}

std::optional<std::uint32_t> MsgpackReader::array() {
  const auto tag = peek();
  if (!tag) return fail();
  ++at_;
  if (is_fix_array(*tag)) return *tag & 0x0f;
  if (*tag != kArray16 && *tag != kArray32) return fail();
  const auto size = big_endian(*tag == kArray16 ? 2 : 4);
  if (!size) return std::nullopt;
  // Each element takes a byte at least: a larger count is a lie.
  if (*size > bytes_.size() - at_) return fail();
  return static_cast<std::uint32_t>(*size);
}

std::optional<std::uint32_t> MsgpackReader::map() {
  const auto tag = peek();
  if (!tag) return fail();
  ++at_;
  if (is_fix_map(*tag)) return *tag & 0x0f;
  if (*tag != kMap16 && *tag != kMap32) return fail();
  const auto size = big_endian(*tag == kMap16 ? 2 : 4);
  if (!size) return std::nullopt;
  if (*size > (bytes_.size() - at_) / 2) return fail();
  return static_cast<std::uint32_t>(*size);
}

std::optional<std::string_view> MsgpackReader::bytes() {
  const auto tag = peek();
  if (!tag) return fail();
  ++at_;
  if (is_fix_str(*tag)) return take(*tag & 0x1f);
  if (!is_bin(*tag) && !is_str(*tag)) return fail();
  const auto size = sized(static_cast<std::uint8_t>(*tag - (is_bin(*tag) ? kBin8 : kStr8)));
  return size ? take(*size) : std::nullopt;
}

std::optional<std::uint64_t> MsgpackReader::integer() {
  const auto tag = peek();
  if (!tag) return fail();
  ++at_;
  if (is_fix_int(*tag)) return sign_extend(*tag, 1);
  if (!is_int(*tag)) return fail();
  const bool is_signed = *tag >= kInt8;
  const std::size_t size = std::size_t{1} << (*tag - (is_signed ? kInt8 : kUint8));
  const auto value = big_endian(size);
  return value && is_signed ? sign_extend(*value, size) : value;
}

std::optional<double> MsgpackReader::number() {
  const auto tag = peek();
  if (!tag) return fail();
  if (*tag == kFloat32 || *tag == kFloat64) {
    ++at_;
    const auto bits = big_endian(*tag == kFloat32 ? 4 : 8);
    if (!bits) return std::nullopt;
    return *tag == kFloat32 ? std::bit_cast<float>(static_cast<std::uint32_t>(*bits))
                            : std::bit_cast<double>(*bits);
  }
  const auto whole = integer();
  if (!whole) return std::nullopt;
  return static_cast<double>(static_cast<std::int64_t>(*whole));
}

bool MsgpackReader::nil() {
  if (peek() != kNil) return false;
  ++at_;
  return true;
}

bool MsgpackReader::next_is_bytes() const {
  const auto tag = peek();
  return tag && (is_fix_str(*tag) || is_bin(*tag) || is_str(*tag));
}

bool MsgpackReader::next_is_integer() const {
  const auto tag = peek();
  return tag && (is_fix_int(*tag) || is_int(*tag));
}

bool MsgpackReader::next_is_array() const {
  const auto tag = peek();
  return tag && (is_fix_array(*tag) || *tag == kArray16 || *tag == kArray32);
}

bool MsgpackReader::skip_nested(std::size_t depth) {
  const auto tag = peek();
  if (!tag || depth > limits::kMsgpackDepthMax) return fail(), false;
  if (next_is_bytes()) return bytes().has_value();
  if (next_is_array()) {
    const auto size = array();
    for (std::uint32_t i = 0; size && i < *size; ++i)
      if (!skip_nested(depth + 1)) return false;
    return size.has_value();
  }
  if (is_fix_map(*tag) || *tag == kMap16 || *tag == kMap32) {
    const auto size = map();
    for (std::uint64_t i = 0; size && i < std::uint64_t{*size} * 2; ++i)
      if (!skip_nested(depth + 1)) return false;
    return size.has_value();
  }
  if (*tag == kFloat32 || *tag == kFloat64 || next_is_integer()) return number().has_value();
  ++at_;
  if (*tag == kNil || *tag == kFalse || *tag == kTrue) return true;
  // Extensions: a type byte, then the data.
  if (*tag >= kExt8 && *tag <= kExt32) {
    const auto size = sized(static_cast<std::uint8_t>(*tag - kExt8));
    return size && take(*size + 1);
  }
  if (*tag >= kFixExt1 && *tag <= kFixExt16)
    return take((std::uint64_t{1} << (*tag - kFixExt1)) + 1).has_value();
  return fail(), false;
}

std::optional<std::string_view> MsgpackReader::skip() {
  const std::size_t begin = at_;
  if (!skip_nested(0)) return std::nullopt;
  return bytes_.substr(begin, at_ - begin);
}

void MsgpackWriter::tagged(std::uint8_t tag, std::uint64_t value, int size) {
  out_ += static_cast<char>(tag);
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
    out_ += static_cast<char>(value >> shift & 0xff);
}

MsgpackWriter& MsgpackWriter::array(std::uint32_t size) {
  if (size < 16) {
    out_ += static_cast<char>(0x90 | size);
  } else {
    tagged(kArray32, size, 4);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::map(std::uint32_t size) {
  if (size < 16) {
    out_ += static_cast<char>(0x80 | size);
  } else {
    tagged(kMap32, size, 4);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::text(std::string_view text) {
  if (text.size() < 32) {
    out_ += static_cast<char>(0xa0 | text.size());
  } else {
    tagged(kStr8 + 2, text.size(), 4);
  }
  out_ += text;
  return *this;
}

MsgpackWriter& MsgpackWriter::binary(std::string_view bytes) {
  tagged(kBin8 + 2, bytes.size(), 4);
  out_ += bytes;
  return *this;
}

MsgpackWriter& MsgpackWriter::integer(std::uint64_t value) {
  if (value < 0x80) {
    out_ += static_cast<char>(value);
  } else if (value <= 0xffffffff) {
    tagged(kUint8 + 2, value, 4);
  } else {
    tagged(kUint8 + 3, value, 8);
  }
  return *this;
}

MsgpackWriter& MsgpackWriter::number(double value) {
  tagged(kFloat64, std::bit_cast<std::uint64_t>(value), 8);
  return *this;
}

MsgpackWriter& MsgpackWriter::boolean(bool value) {
  out_ += static_cast<char>(value ? kTrue : kFalse);
  return *this;
}

MsgpackWriter& MsgpackWriter::nil() {
  out_ += static_cast<char>(kNil);
  return *this;
}

}  // namespace signalbox::kv
