// What a simulated engine does wrong on request: by headers of one request (x-sim-*), or for the whole engine by
// POST /sim/ctl. For tests of retries, ejection, timeouts and broken streams.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "http/headers.h"

namespace signalbox::sim {

enum class Malformed : std::uint8_t { kNo, kHead, kChunk, kFrame };

// One request's orders. Nothing set: behave.
struct Faults {
  int status = 0;    // x-sim-status: answer with this status and an error body
  Duration delay{};  // x-sim-delay-ms: before the first byte of the head
  std::optional<std::uint64_t>
      cut_after_bytes;  // x-sim-cut-after-bytes: of the body, then the connection closes
  Malformed malformed = Malformed::kNo;  // x-sim-malformed: head | chunk | frame
  std::string retry_after;               // x-sim-retry-after: value of Retry-After
  std::size_t tokens = 0;                // x-sim-tokens: length of the answer
  std::optional<Duration> ttft;          // x-sim-ttft-ms: instead of the engine's own
  std::optional<Duration> itl;           // x-sim-itl-ms: instead of the engine's own
  bool drop = false;                     // close without an answer
  bool hang = false;                     // never answer; ends when the client goes
};

// Orders for the engine.
struct Control {
  double fail = 0;  // share of requests, 0..1, answered with `status`
  int status = 503;
  double drop = 0;              // share of requests whose connection is closed unanswered
  bool hang = false;            // requests are read and never answered
  int health = 200;             // status of /health
  Duration delay{};             // before every answer
  bool refuse = false;          // new connections are closed at once
  bool mute_kv_events = false;  // KV events are lost on the way; replay still has them

  // Query parameters of /sim/ctl by these names (delay as delay_ms); `reset=1` first forgets what was set before.
  // Errors: kInvalidArgument names the parameter.
  Result<void> apply(std::string_view query);
  std::string json() const;
};

// Header orders, with what the control adds by chance. Headers that do not parse are ignored.
Faults read_faults(const http::Headers& headers, const Control& control, Random& random);

}  // namespace signalbox::sim
