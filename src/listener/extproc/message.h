// What Envoy's ext_proc filter says and what it is answered, without protobuf: the session and its tests work on these.
// Names and meanings are those of Envoy's API (external_processor.proto).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "http/headers.h"

namespace signalbox::listener {

// ProcessingMode.BodySendMode, numbers as on the wire.
enum class BodyMode : std::uint8_t {
  kNone = 0,
  kStreamed = 1,
  kBuffered = 2,
  kBufferedPartial = 3,
  kFullDuplex = 4,
  kGrpc = 5,
};
std::string_view body_mode_name(BodyMode mode);

// Which part of the HTTP exchange a message is about.
enum class HttpPart : std::uint8_t {
  kRequestHeaders,
  kRequestBody,
  kRequestTrailers,
  kResponseHeaders,
  kResponseBody,
  kResponseTrailers,
  kUnknown,  // a message of a newer API
};

// How the filter sends bodies; Envoy says so in its first message.
struct BodyModes {
  BodyMode request = BodyMode::kBuffered;
  BodyMode response = BodyMode::kNone;
  bool request_without_waiting = false;  // body pieces come before the headers are answered
};

struct ProxyMessage {
  HttpPart part = HttpPart::kUnknown;
  http::Headers
      headers;  // of headers and trailers; with ":method" and the like, names in lower case
  std::string body;
  bool end_of_stream = false;
  std::optional<BodyModes> modes;
  std::string
      source_address;     // attribute source.address, "host:port", where Envoy is told to send it
  bool observed = false;  // observability mode: no answer is expected
  bool answered = false;  // by the door, with "go on"; of the first message only
};

struct HeaderEdits {
  std::vector<std::pair<std::string, std::string>>
      set;  // the first of a name replaces, more of it are added
  std::vector<std::string> removed;
  bool empty() const { return set.empty() && removed.empty(); }
};

// The answer to one message (CommonResponse, TrailersResponse).
struct ProxyReply {
  enum class Body : std::uint8_t {
    kKeep,      // as it came
    kReplace,   // by `body`, which may be empty
    kStreamed,  // FULL_DUPLEX_STREAMED: `body` is the next piece of what goes on
  };
  HttpPart part = HttpPart::kUnknown;
  HeaderEdits headers;
  Body action = Body::kKeep;
  std::string body;
  bool end_of_stream = false;      // kStreamed: nothing follows
  bool clear_route_cache = false;  // Envoy chooses the route again
  // Wishes for the rest of the exchange; Envoy follows them if allow_mode_override is on.
  std::optional<BodyModes> override_modes;
  std::string destination;  // "host:port" as dynamic metadata; empty: none
};

// Ends the exchange: Envoy answers the client with this.
struct ImmediateReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string details;  // for Envoy's access log (%RESPONSE_CODE_DETAILS%)
};

using ProxyAnswer = std::variant<ProxyReply, ImmediateReply>;

}  // namespace signalbox::listener
