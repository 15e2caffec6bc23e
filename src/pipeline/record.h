// The last stage: what an exchange was goes into metrics, spans and the access log. Reads everything, changes nothing,
// and never holds prompt text.
#pragma once

#include <span>

#include "exchange/exchange.h"
#include "exchange/leaf.h"
#include "pipeline/services.h"

namespace signalbox::pipeline {

// Moments of one exchange that no stage's output holds.
struct Moments {
  TimePoint understood_from{};  // signals began
  TimePoint decided_at{};
  TimePoint routed_at{};  // upstream began
  TimePoint finished_at{};
  std::span<const Duration> leaf_times = {};  // by leaf; zero: not evaluated
};

struct Recording {
  const exchange::Exchange& exchange;
  const config::Config& config;
  std::span<const exchange::Leaf> leaves;
  Moments moments;
  int status = 0;             // what the client was told
  std::optional<Code> error;  // why it is not what the client asked for
  bool client_gone = false;
};

void record_metrics(const Recording& recording, telemetry::Instruments& instruments);
void record_access(const Recording& recording, const Clock& clock, telemetry::AccessLog& log);
// Spans of the request, if it is sampled.
void record_spans(const Recording& recording, const telemetry::Sampler& sampler, const Clock& clock,
                  Random& random, telemetry::SpanQueue& queue);

}  // namespace signalbox::pipeline
