// MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), as much of it as KV events and LMCache's messages
// need: a pull reader over bytes that stay where they are, and a writer. The reader trusts nothing: a value that ends behind
// the bytes, or has another type than asked for, yields nothing, and every later read then yields nothing too. No
// allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox::kv {

class MsgpackReader {
 public:
  explicit MsgpackReader(std::string_view bytes) : bytes_(bytes) {}

  // Number of elements (of pairs) that follow.
  std::optional<std::uint32_t> array();
  std::optional<std::uint32_t> map();
  // Of type str or bin; views into the input.
  std::optional<std::string_view> bytes();
  // Any integer; a negative one as its two's complement.
  std::optional<std::uint64_t> integer();
  // Integer or float.
  std::optional<double> number();
  // Takes a nil if one is next.
  bool nil();
  bool next_is_bytes() const;
  bool next_is_integer() const;
  bool next_is_array() const;
  // One whole value, nested at most limits::kMsgpackDepthMax deep; its bytes. O(bytes).
  std::optional<std::string_view> skip();
  bool at_end() const { return !failed_ && at_ == bytes_.size(); }
  bool failed() const { return failed_; }

 private:
  std::optional<std::uint8_t> peek() const;
  std::optional<std::uint64_t> big_endian(std::size_t size);
  std::optional<std::string_view> take(std::uint64_t size);
  std::optional<std::uint64_t> sized(std::uint8_t tag);
  std::nullopt_t fail();
  bool skip_nested(std::size_t depth);

  std::string_view bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

// Appends values; counts of arrays and maps are the caller's to keep.
class MsgpackWriter {
 public:
  explicit MsgpackWriter(std::string& out) : out_(out) {}
  MsgpackWriter& array(std::uint32_t size);
  MsgpackWriter& map(std::uint32_t size);
  MsgpackWriter& text(std::string_view text);
  MsgpackWriter& binary(std::string_view bytes);
  MsgpackWriter& integer(std::uint64_t value);
  MsgpackWriter& number(double value);
  MsgpackWriter& boolean(bool value);
  MsgpackWriter& nil();

 private:
  void tagged(std::uint8_t tag, std::uint64_t value, int size);
  std::string& out_;
};

}  // namespace signalbox::kv
