// The embedded demo engines behind `serve` when the configuration asks for them (the embedded default does): simulated
// engines on loopback ports, put in the place of every model's backends.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "sim/server.h"

namespace signalbox::pipeline {

class EmbeddedEngines {
 public:
  // The configuration with the backends of every model replaced by the demo engines, which are started on first need and
  // kept over reloads. Returned as it is when signalbox.sim.embedded is off. Errors: kIo.
  Result<std::shared_ptr<const config::Config>> apply(std::shared_ptr<const config::Config> config);
  // Ports of the engines; empty when none runs.
  std::vector<std::uint16_t> ports() const;

 private:
  Result<void> start(const config::Config& config);
  std::unique_ptr<sim::Background> engines_;
};

}  // namespace signalbox::pipeline
