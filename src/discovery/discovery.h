// Discovery: where replicas come from. A source reports the whole list each time it changes; the endpoint table does the
// rest. The fixed list of the configuration is one source; DNS names and the Kubernetes API will be others.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/model.h"

namespace signalbox::discovery {

// One model (by the name of its providers entry) served at one backend. Without a model: whatever the engine says.
struct Placement {
  std::string model;
  config::BackendRef backend;
  friend bool operator==(const Placement&, const Placement&) = default;
};

class Discovery {
 public:
  virtual ~Discovery() = default;
  // Begins to watch; calls `changed` with the whole list now or soon, and after every change, always on the thread that
  // called start(). Not called again after stop().
  virtual void start(std::function<void(std::vector<Placement>)> changed) = 0;
  virtual void stop() = 0;
};

// Every backend of every model of a configuration, in the order of the file.
std::vector<Placement> fixed_placements(const config::Config& config);

// The fixed list: reports once.
class FixedList final : public Discovery {
 public:
  explicit FixedList(const config::Config& config) : placements_(fixed_placements(config)) {}
  void start(std::function<void(std::vector<Placement>)> changed) override { changed(placements_); }
  void stop() override {}

 private:
  std::vector<Placement> placements_;
};

}  // namespace signalbox::discovery
