// What signals may look at: outputs of earlier stages, nothing else.
#pragma once

#include "exchange/exchange.h"

namespace signalbox::signals {

struct Inputs {
  const exchange::ClientRequest& client;
  const exchange::Identity& identity;
  const exchange::Request& request;
};

// A leaf that somebody asked for: rule index within its kind, and the value to fill.
struct Wanted {
  std::uint32_t rule = 0;
  exchange::SignalValue* value = nullptr;
};

inline exchange::SignalValue matched(bool yes, float confidence = 1.0F) {
  return {yes ? exchange::SignalState::kMatch : exchange::SignalState::kNoMatch, confidence};
}
inline exchange::SignalValue failed() { return {exchange::SignalState::kFailed, 0.0F}; }

}  // namespace signalbox::signals
