// Why a decision won, lost or was left open, and why leaves were not evaluated, in sentences for people. Computed from a
// State after the last demand(), so it explains exactly what happened; meant for explain and eval, not for the data path.
#pragma once

#include <string>
#include <vector>

#include "decision/program.h"

namespace signalbox::decision {

enum class Standing : std::uint8_t {
  kWinner,
  kBeaten,     // matched, but another goes before it
  kUnmatched,  // its rules do not hold
  kOpen,       // not decided, because it could not win any more
};

struct DecisionReason {
  const config::Decision* decision = nullptr;
  Standing standing = Standing::kOpen;
  Bounds bounds;    // equal ends unless open
  std::string why;  // "keyword 'thinking' matched", "domain 'law' did not match", ...
};

struct Explanation {
  exchange::Decision winner;
  std::string order;                      // how matching decisions are ordered, in words
  std::vector<DecisionReason> decisions;  // index as Program::entries()
  // Index as Program::leaves(): why it was not evaluated; empty where it was.
  std::vector<std::string> skipped;
};

// O(nodes * depth). Never holds prompt text.
Explanation explain(const Program& program, State& state);

}  // namespace signalbox::decision
