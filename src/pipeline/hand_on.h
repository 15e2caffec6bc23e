// What a Signalbox that judged a request tells the one behind it (its ExtProc door, then Envoy, then the router role), so
// that the second decides with the same knowledge and does not work it out again: decision, session, length and block
// names of the prompt. One header, signed with a secret that both share:
//
//   v1;UNIX SECONDS;BODY BYTES;BODY HASH;CONTEXT TOKENS;PROMPT BYTES;DECISION;SESSION;BLOCKS;MAC
//
// Numbers in decimal, everything else in hexadecimal; MAC is the first half of HMAC-SHA-256 over all before its semicolon.
// It holds for this body only (length and 64-bit hash) and for kHandedOnLifetime either way, so a header that leaks opens
// nothing. The body is parsed at both hops all the same: edits and refusals need it. Without the header, or with one that
// does not hold, a request is read as any other.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret.h"
#include "exchange/exchange.h"

namespace signalbox::pipeline {

inline constexpr std::chrono::seconds kHandedOnLifetime{60};

// `now` is Unix time. At most kHandedOnBytesMax bytes: block names of long prompts are left out, and then texts that do not
// fit. O(body), about 10 GB/s.
std::string hand_on(const exchange::HandedOn& known, std::string_view body,
                    std::chrono::seconds now, const Secret& secret);

// Errors: kInvalidArgument, with the reason.
Result<exchange::HandedOn> take_over(std::string_view header, std::string_view body,
                                     std::chrono::seconds now, const Secret& secret);

}  // namespace signalbox::pipeline
