// Metrics of a simulated engine under the names, labels and units of vLLM's own, old and new, so that scrapers,
// dashboards and load-aware policies meet what they would meet in front of a real engine.
#pragma once

#include <string>

#include "sim/engine.h"
#include "telemetry/metrics.h"

namespace signalbox::sim {

class Metrics {
 public:
  // The engine must outlive this.
  Metrics(const Engine& engine, const Clock& clock);

  // What went through one request; times from submission.
  struct Request {
    std::size_t prompt_tokens = 0;
    std::size_t completion_tokens = 0;
    Duration ttft{};
    Duration total{};
    bool cut = false;  // ended by its token limit
  };
  void finished(const Request& request);
  void aborted() { aborted_.add(); }
  void expose(std::string& out) const { registry_.expose(out); }
  std::uint64_t finished_count() const { return ttft_.count(); }
  std::uint64_t aborted_count() const { return aborted_.value(); }

 private:
  void add_engine_state(const Engine& engine, const Clock& clock);

  telemetry::Registry registry_;
  std::string model_;
  telemetry::Counter& prompt_tokens_;
  telemetry::Counter& generation_tokens_;
  telemetry::Family<telemetry::Counter, 3>& success_;
  telemetry::Counter& aborted_;
  telemetry::Histogram& ttft_;
  telemetry::Histogram& inter_token_;
  telemetry::Histogram& per_output_token_;
  telemetry::Histogram& end_to_end_;
};

}  // namespace signalbox::sim
