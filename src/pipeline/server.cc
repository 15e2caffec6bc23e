#include "pipeline/server.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/cpu.h"
#include "base/log.h"
#include "http/fetch.h"
#include "json/writer.h"
#include "pipeline/control.h"
#include "pipeline/core.h"
#include "pipeline/extproc_options.h"
#include "pipeline/loader.h"
#include "pipeline/office.h"
#include "telemetry/process_metrics.h"

namespace signalbox::pipeline {
namespace {

struct Ports {
  std::uint16_t http = 0;
  std::uint16_t admin = 0;
  std::uint16_t extproc = 0;  // 0: not open
};

// The demo engines of this process, if any, as they are told to scripts.
Result<void> write_ports_file(const std::string& path, const Ports& ports,
                              const std::vector<std::uint16_t>& engines,
                              const std::vector<std::string>& lmcache) {
  std::string text;
  json::Writer out(text);
  out.begin_object().key("http").integer(ports.http).key("admin").integer(ports.admin);
  if (ports.extproc != 0) out.key("extproc").integer(ports.extproc);
  out.key("engines").begin_array();
  for (const auto port : engines) out.integer(port);
  out.end_array();
  if (!lmcache.empty()) {
    out.key("lmcache").begin_array();
    for (const auto& address : lmcache) out.string(address);
    out.end_array();
  }
  out.end_object();
  // Written aside and moved, so that a reader never sees half a file.
  const std::string aside = path + ".new";
  std::ofstream file(aside);
  file << text << '\n';
  file.close();
  if (!file || std::rename(aside.c_str(), path.c_str()) != 0) {
    return fail(Code::kIo, fmt::format("cannot write {}", path));
  }
  return {};
}

// One loop a core; only one where the encoder needs the rest.
int io_threads(const Services& services) {
  const auto snapshot = services.snapshots.current();
  if (snapshot->config->own.io_threads > 0) return snapshot->config->own.io_threads;
  const int budget = cpu_budget().threads();
  return snapshot->encoder_pool == nullptr ? budget : std::max(1, budget - budget / 2);
}

class Server {
 public:
  explicit Server(const ServerOptions& options)
      : options_(options),
        services_(options.version),
        loader_(services_, options.source,
                encoder::locate(options.encoder_directory, options.models_directory)) {}

  Result<void> start() {
    SBX_CHECK_OK(loader_.load());
    const auto snapshot = services_.snapshots.current();
    const config::Own& own = snapshot->config->own;
    if (own.access_log.enabled) {
      SBX_TRY(services_.access_log, telemetry::open_access_log(own.access_log.path));
    }
    if (own.routing_log.enabled) {
      SBX_TRY(services_.routing_log, telemetry::open_access_log(own.routing_log.path));
    }
    telemetry::register_process_metrics(services_.registry, services_.clock);
    services_.instruments.set_build_info(
        {.version = options_.version, .revision = {}, .compiler = __VERSION__});
    watch_engines(services_);
    if (own.files.enabled) {
      SBX_TRY(office_, Office::open(services_, own));
      services_.office = office_.get();
    }
    SBX_CHECK_OK(open_doors(own));
    control_ = std::make_unique<Control>(services_, loader_);
    for (auto& core : cores_) core->start();
    if (office_) office_->start();
    if (!options_.ports_file.empty()) {
      SBX_CHECK_OK(write_ports_file(options_.ports_file, ports_, loader_.engines().ports(),
                                    control_->lmcache_addresses()));
    }
    log::info("HTTP on port {}, metrics on port {}, {} I/O threads", ports_.http, ports_.admin,
              cores_.size());
    if (extproc_) log::info("ExtProc on port {}", ports_.extproc);
    return {};
  }

  // Until a signal asks for the end.
  void run() {
    control_->run();
    services_.draining.store(true);
    const auto drain_timeout = services_.snapshots.current()->config->own.limits.drain_timeout;
    log::info("draining, at most {} s", seconds(drain_timeout));
    const Deadline deadline = Deadline::after(services_.clock.now(), drain_timeout);
    for (auto& core : cores_) core->drain(deadline);
    if (extproc_) extproc_->shutdown(drain_timeout);
    for (auto& core : cores_) core->join();
    if (office_) office_->stop();
    loader_.close();
    control_->finish();
    log::info("stopped");
  }

 private:
  Result<void> open_doors(const config::Own& own) {
    ports_.http = options_.http_port.value_or(own.http.port);
    ports_.admin = options_.admin_port.value_or(own.admin.port);
    for (int i = 0; i < io_threads(services_); ++i) {
      cores_.push_back(std::make_unique<Core>(services_));
      if (own.http.enabled) {
        SBX_TRY(ports_.http, cores_.back()->open_http(own.http, ports_.http));
      }
      // One core is enough for scrapes.
      if (own.admin.enabled && i == 0) {
        SBX_TRY(ports_.admin, cores_.back()->open_admin(own.admin, ports_.admin));
      }
    }
    return open_extproc(own.extproc);
  }

  Result<void> open_extproc(const config::ExtProcDoor& door) {
    if (!door.enabled && !options_.extproc_port) return {};
    SBX_TRY(const auto options, extproc_options(door, options_));
    std::vector<listener::ExtProcDoor*> doors;
    for (auto& core : cores_) doors.push_back(&core->open_extproc());
    SBX_TRY(extproc_, listener::GrpcServer::open(options, std::move(doors)));
    ports_.extproc = extproc_->port();
    return {};
  }

  const ServerOptions& options_;
  Services services_;
  Loader loader_;
  std::unique_ptr<Office> office_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::unique_ptr<listener::GrpcServer> extproc_;
  std::unique_ptr<Control> control_;
  Ports ports_;
};

}  // namespace

Result<void> serve(const ServerOptions& options) {
  Server server(options);
  SBX_CHECK_OK(server.start());
  server.run();
  return {};
}

}  // namespace signalbox::pipeline
