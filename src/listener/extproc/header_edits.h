// From "these headers came" and "these shall go on" to the edits Envoy is told.
#pragma once

#include "http/headers.h"
#include "listener/extproc/message.h"

namespace signalbox::listener {

// Edits that turn `before` into `after`. Fields that are Envoy's business (pseudo-headers, Host, framing, hop-by-hop) stay
// as they are in both. Names in the result are in lower case, as HTTP/2 wants them. O(fields squared), like Headers.
HeaderEdits header_edits(const http::Headers& before, const http::Headers& after);

}  // namespace signalbox::listener
