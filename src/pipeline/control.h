// The control loop: signals, configuration changes, health checks and trace export; everything that is neither a request
// nor a computation. Runs on the thread that calls run().
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "discovery/health.h"
#include "discovery/kv_feed.h"
#include "discovery/lmcache_feed.h"
#include "discovery/scraper.h"
#include "discovery/sources.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/resolver.h"
#include "pipeline/engine_window.h"
#include "pipeline/loader.h"
#include "pipeline/services.h"
#include "telemetry/otlp.h"
#include "upstream/agreement.h"

namespace signalbox::pipeline {

// Publishes the state of all endpoints as metrics, at each scrape.
void watch_engines(Services& services);

class Control {
 public:
  // Services and loader outlive the control.
  Control(Services& services, Loader& loader);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Until SIGTERM or SIGINT. SIGHUP, and a change of the configuration file, reload.
  void run();
  // Where LMCache's workers connect to; see LmcacheFeed::addresses().
  std::vector<std::string> lmcache_addresses() const { return lmcache_feed_.addresses(); }
  // Sends what telemetry still holds. After run(), when the cores have ended.
  void finish();

 private:
  class Ticker;

  void reload();
  void check_files();
  void apply_snapshot();
  // Sources of engines that the configuration names, if they are other ones than those that run.
  void follow_sources();
  void engines_found(std::size_t source, std::vector<discovery::Placement> placements);
  void log_engines();
  void send_spans(std::string body, std::function<void(bool)> done);
  net::Task<void> post_spans(std::string body, std::function<void(bool)> done);
  net::Task<void> stop_checks();
  net::Task<void> last_spans();

  Services& services_;
  Loader& loader_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Network> network_;
  http::ClientPool clients_;
  net::TaskGroup tasks_;
  net::Cancellation stop_;
  discovery::HealthChecker health_;
  discovery::Scraper scraper_;
  discovery::KvFeed kv_feed_;
  upstream::AgreementChecker agreement_;
  discovery::LmcacheFeed lmcache_feed_;
  std::unique_ptr<telemetry::OtlpExporter> exporter_;
  std::string trace_url_;
  std::unique_ptr<net::SignalWatch> signals_;
  std::vector<std::unique_ptr<Ticker>> tickers_;
  std::uint64_t endpoint_version_ = 0;
  std::vector<config::Watcher> files_;
  std::unique_ptr<net::Resolver> resolver_;  // before the sources that ask it
  config::Discovery followed_;
  std::vector<std::unique_ptr<discovery::Discovery>> sources_;
  std::vector<std::vector<discovery::Placement>> found_;  // by source
  TimePoint next_engine_log_;
};

}  // namespace signalbox::pipeline
