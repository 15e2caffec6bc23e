#include "sim/faults.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace signalbox::sim {
namespace {

constexpr std::string_view kPrefix = "x-sim-";
constexpr std::uint64_t kMillisecondsMax = 3'600'000;
constexpr std::uint64_t kTokensMax = 1'000'000;

Duration as_milliseconds(std::uint64_t value) {
  return std::chrono::milliseconds(std::min(value, kMillisecondsMax));
}

Malformed malformed_of(std::string_view word) {
  if (word == "head") return Malformed::kHead;
  if (word == "chunk") return Malformed::kChunk;
  return word == "frame" ? Malformed::kFrame : Malformed::kNo;
}

void read_header(Faults& faults, std::string_view name, std::string_view value) {
  if (equal_ignore_case(name, "retry-after")) faults.retry_after = value;
  if (equal_ignore_case(name, "malformed")) faults.malformed = malformed_of(value);
  const auto number = parse_uint(value);
  if (!number) return;
  if (equal_ignore_case(name, "status") && *number >= 200 && *number <= 599) {
    faults.status = static_cast<int>(*number);
  }
  if (equal_ignore_case(name, "delay-ms")) faults.delay = as_milliseconds(*number);
  if (equal_ignore_case(name, "cut-after-bytes")) faults.cut_after_bytes = *number;
  if (equal_ignore_case(name, "tokens")) faults.tokens = std::min(*number, kTokensMax);
  if (equal_ignore_case(name, "ttft-ms")) faults.ttft = as_milliseconds(*number);
  if (equal_ignore_case(name, "itl-ms")) faults.itl = as_milliseconds(*number);
}

Result<double> share(std::string_view name, std::string_view value) {
  const auto number = parse_double(value);
  if (!number || *number < 0 || *number > 1) {
    return fail(Code::kInvalidArgument, fmt::format("{} must be between 0 and 1", name),
                std::string(name));
  }
  return *number;
}

Result<std::uint64_t> whole(std::string_view name, std::string_view value, std::uint64_t low,
                            std::uint64_t high) {
  const auto number = parse_uint(value);
  if (!number || *number < low || *number > high) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} must be between {} and {}", name, low, high), std::string(name));
  }
  return *number;
}

Result<void> set(Control& control, std::string_view name, std::string_view value) {
  if (name == "fail") {
    SBX_TRY(control.fail, share(name, value));
  } else if (name == "drop") {
    SBX_TRY(control.drop, share(name, value));
  } else if (name == "status" || name == "health") {
    SBX_TRY(const auto status, whole(name, value, 200, 599));
    (name == "status" ? control.status : control.health) = static_cast<int>(status);
  } else if (name == "hang" || name == "refuse") {
    SBX_TRY(const auto flag, whole(name, value, 0, 1));
    (name == "hang" ? control.hang : control.refuse) = flag == 1;
  } else if (name == "mute_kv_events") {
    SBX_TRY(const auto flag, whole(name, value, 0, 1));
    control.mute_kv_events = flag == 1;
  } else if (name == "delay_ms") {
    SBX_TRY(const auto delay, whole(name, value, 0, kMillisecondsMax));
    control.delay = as_milliseconds(delay);
  } else {
    return fail(
        Code::kInvalidArgument,
        fmt::format("unknown parameter '{}': fail, status, drop, hang, health, delay_ms, refuse, "
                    "mute_kv_events, reset",
                    name),
        std::string(name));
  }
  return {};
}

}  // namespace

Result<void> Control::apply(std::string_view query) {
  Control next = *this;
  const auto pairs = split(query, '&');
  for (const auto pair : pairs) {
    if (pair == "reset=1") next = Control{};
  }
  for (const auto pair : pairs) {
    const auto equals = pair.find('=');
    const auto name = pair.substr(0, equals);
    if (name == "reset") continue;
    SBX_CHECK_OK(set(next, name, equals == std::string_view::npos ? "" : pair.substr(equals + 1)));
  }
  *this = next;
  return {};
}

std::string Control::json() const {
  return fmt::format(
      R"({{"fail":{},"status":{},"drop":{},"hang":{},"health":{},"delay_ms":{},"refuse":{}}})",
      fail, status, drop, hang, health, milliseconds(delay), refuse);
}

Faults read_faults(const http::Headers& headers, const Control& control, Random& random) {
  Faults faults;
  for (const auto& field : headers.fields()) {
    const std::string_view name = field.name;
    if (name.size() <= kPrefix.size() ||
        !equal_ignore_case(name.substr(0, kPrefix.size()), kPrefix))
      continue;
    read_header(faults, name.substr(kPrefix.size()), field.value);
  }
  faults.delay = std::max(faults.delay, control.delay);
  if (control.fail > 0 && random.unit() < control.fail) faults.status = control.status;
  if (control.drop > 0 && random.unit() < control.drop) faults.drop = true;
  faults.hang = control.hang;
  return faults;
}

}  // namespace signalbox::sim
