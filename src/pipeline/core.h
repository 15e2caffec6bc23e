// One core: a loop on its own thread with its doors, its upstream connections and its copy of the pipeline. A client
// connection and everything done for it stays on one core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "listener/extproc/door.h"
#include "listener/http/door.h"
#include "net/loop.h"
#include "net/network.h"
#include "pipeline/pipeline.h"
#include "pipeline/services.h"

namespace signalbox::pipeline {

class Core {
 public:
  explicit Core(Services& services);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Opens a door before start(). Errors: as net::listen. Returns the bound port.
  Result<std::uint16_t> open_http(const config::HttpDoor& door, std::uint16_t port);
  Result<std::uint16_t> open_admin(const config::AdminDoor& door, std::uint16_t port);
  // The door for streams of Envoy, which a gRPC server deals out. Before start().
  listener::ExtProcDoor& open_extproc();
  // The loop runs on its own thread from here on.
  void start();
  // Asks the core to finish: doors drain until the deadline, then the loop ends. From any thread, once.
  void drain(Deadline deadline);
  // Waits for the thread after drain().
  void join();

 private:
  struct Flush;
  net::Task<void> finish(Deadline deadline);

  Services& services_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Network> network_;
  Pipeline pipeline_;
  AdminHandler admin_;
  std::vector<std::unique_ptr<listener::HttpDoor>> doors_;
  std::unique_ptr<listener::ExtProcDoor> extproc_;
  net::TaskGroup tasks_;
  std::unique_ptr<Flush> flush_;
  std::thread thread_;
};

}  // namespace signalbox::pipeline
