#include "pipeline/hand_on.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <iterator>
#include <optional>

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "net/signature.h"

namespace signalbox::pipeline {
namespace {

constexpr std::string_view kVersion = "v1";
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kTextBytesMax = 512;  // of a decision's name or a session's key
constexpr std::size_t kHashDigits = 16;

enum Part : std::size_t {
  kTag,
  kAt,
  kBodyBytes,
  kBodyHash,
  kContextTokens,
  kPromptBytes,
  kDecision,
  kSession,
  kBlocks,
  kMac,
  kParts
};

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::optional<std::uint64_t> hex_number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<std::string> unhex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const auto byte = hex_number(digits.substr(i, 2));
    if (!byte) return std::nullopt;
    out += static_cast<char>(*byte);
  }
  return out;
}

std::string mac_of(std::string_view text, const Secret& secret) {
  return hex(std::string_view(net::hmac_sha256(secret.reveal(), text)).substr(0, kMacBytes));
}

std::string_view at_most(std::string_view text) {
  return text.size() <= kTextBytesMax ? text : std::string_view();
}

std::optional<std::array<std::string_view, kParts>> split(std::string_view header) {
  std::array<std::string_view, kParts> parts;
  for (std::size_t i = 0; i + 1 < kParts; ++i) {
    const auto end = header.find(';');
    if (end == std::string_view::npos) return std::nullopt;
    parts[i] = header.substr(0, end);
    header.remove_prefix(end + 1);
  }
  parts[kMac] = header;
  return parts;
}

std::optional<std::vector<std::uint64_t>> blocks_of(std::string_view digits) {
  const std::size_t count = digits.size() / kHashDigits;
  if (digits.size() % kHashDigits != 0 || count > limits::kHandedOnBlocksMax) return std::nullopt;
  std::vector<std::uint64_t> blocks;
  blocks.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto block = hex_number(digits.substr(i * kHashDigits, kHashDigits));
    if (!block) return std::nullopt;
    blocks.push_back(*block);
  }
  return blocks;
}

}  // namespace

std::string hand_on(const exchange::HandedOn& known, std::string_view body,
                    std::chrono::seconds now, const Secret& secret) {
  std::string text =
      fmt::format("{};{};{};{:016x};{};{};{};{};", kVersion, now.count(), body.size(), hash64(body),
                  known.context_tokens, known.prompt_bytes, hex(at_most(known.decision)),
                  hex(at_most(known.session)));
  if (known.blocks.size() <= limits::kHandedOnBlocksMax) {
    for (const std::uint64_t block : known.blocks) text += fmt::format("{:016x}", block);
  }
  const std::string mac = mac_of(text, secret);
  return text + ';' + mac;
}

Result<exchange::HandedOn> take_over(std::string_view header, std::string_view body,
                                     std::chrono::seconds now, const Secret& secret) {
  if (header.size() >= limits::kHandedOnBytesMax) return fail(Code::kInvalidArgument, "too long");
  const auto parts = split(header);
  if (!parts || (*parts)[kTag] != kVersion) return fail(Code::kInvalidArgument, "another version");
  const std::string_view mac = (*parts)[kMac];
  const std::string_view text = header.substr(0, header.size() - mac.size() - 1);
  // Before anything else is believed.
  if (!net::equal_in_constant_time(mac, mac_of(text, secret))) {
    return fail(Code::kInvalidArgument, "the signature does not hold");
  }
  const auto at = parse_uint((*parts)[kAt]);
  const auto bytes = parse_uint((*parts)[kBodyBytes]);
  const auto hash = hex_number((*parts)[kBodyHash]);
  const auto tokens = parse_uint((*parts)[kContextTokens]);
  const auto prompt_bytes = parse_uint((*parts)[kPromptBytes]);
  auto decision = unhex((*parts)[kDecision]);
  auto session = unhex((*parts)[kSession]);
  auto blocks = blocks_of((*parts)[kBlocks]);
  if (!at || !bytes || !hash || !tokens || !prompt_bytes || !decision || !session || !blocks) {
    return fail(Code::kInvalidArgument, "malformed");
  }
  if (*bytes != body.size() || *hash != hash64(body)) {
    return fail(Code::kInvalidArgument, "it is about another body");
  }
  const auto age = now - std::chrono::seconds(static_cast<std::int64_t>(*at));
  if (age > kHandedOnLifetime || age < -kHandedOnLifetime) {
    return fail(Code::kInvalidArgument, "its time is over, or the clocks differ");
  }
  return exchange::HandedOn{.decision = *std::move(decision),
                            .session = *std::move(session),
                            .context_tokens = static_cast<std::int64_t>(*tokens),
                            .blocks = *std::move(blocks),
                            .prompt_bytes = *prompt_bytes};
}

}  // namespace signalbox::pipeline
