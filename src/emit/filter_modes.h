// Body modes of the ext_proc filter in the words of Envoy and of Envoy Gateway.
#pragma once

#include <string_view>

namespace signalbox::emit {

struct FilterModes {
  std::string_view request, response, trailers;  // Envoy's
  std::string_view request_kind, response_kind;  // Envoy Gateway's
};

// `request` is a word of signalbox.extproc.request_body_mode. Where Signalbox may not ask for another mode, answers are
// streamed, because buffered ones would keep event streams back until their end.
constexpr FilterModes filter_modes(std::string_view request, bool allow_override) {
  FilterModes modes{.request = "BUFFERED",
                    .response = allow_override ? "BUFFERED" : "STREAMED",
                    .trailers = "SKIP",
                    .request_kind = "Buffered",
                    .response_kind = allow_override ? "Buffered" : "Streamed"};
  if (request == "streamed") {
    modes.request = "STREAMED";
    modes.request_kind = "Streamed";
  } else if (request == "full_duplex_streamed") {
    modes.request = "FULL_DUPLEX_STREAMED";
    modes.trailers = "SEND";  // Envoy insists
    modes.request_kind = "FullDuplexStreamed";
  }
  return modes;
}

}  // namespace signalbox::emit
