// The linter: what a configuration that loads will do, where that is probably not what its author meant.
#pragma once

#include <vector>

#include "config/finding.h"
#include "config/model.h"

namespace signalbox::config {

// Findings by line. `file` of each is empty: the caller knows it. Codes:
//   unreachable-decision, impossible-decision, unserved-model, undeclared-adapter, no-model, zero-weights,
//   missing-catch-all, common-keyword, duplicate-keyword, cache-never-hits, useless-threshold, lost-prompt,
//   unknown-label, reasoning-without-family, contradictory-times, unused-signal, missing-signal, secret-in-plain-text,
//   key-not-set, automatic-name.
// O(decisions^2 * rule size), bounded by limits::kCheckStepsMax.
std::vector<Finding> check(const Config& config);

}  // namespace signalbox::config
