// What all cores share: the closed list of mutable shared state (docs/architecture.md), each behind its own bound.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "discovery/endpoint_table.h"
#include "listener/http/door.h"
#include "pipeline/engine_window.h"
#include "pipeline/snapshot.h"
#include "telemetry/access_log.h"
#include "telemetry/instruments.h"
#include "telemetry/metrics.h"
#include "telemetry/trace.h"

namespace signalbox::pipeline {

class Office;

struct Services {
  explicit Services(std::string program_version) : version(std::move(program_version)) {}

  std::string version;
  const Clock& clock = system_clock();
  telemetry::Registry registry;
  telemetry::Instruments instruments{registry};
  telemetry::SpanQueue spans;
  std::unique_ptr<telemetry::AccessLogSink> access_log;  // nullptr: off
  SnapshotStore snapshots;
  discovery::EndpointTable endpoints;
  listener::ConnectionCount connections;
  std::atomic<std::uint64_t> extproc_streams{0};  // under way, of all cores
  EngineWindows engine_windows;
  std::unique_ptr<telemetry::AccessLogSink> routing_log;  // nullptr: off
  // Makes what an engine has just said about its models known to every core; `done` is called on the control loop
  // afterwards. Set before cores start.
  std::function<void(std::function<void()> done)> engines_changed;
  Office* office = nullptr;  // files and batches; nullptr: off. Set before cores start.
  std::atomic<bool> draining{false};
};

}  // namespace signalbox::pipeline
