// Asks engines for their own figures (discovery/engine_metrics.h) in rounds, and hands them to the endpoints: load of other
// routers, usage and size of the cache. Bounded: kScrapesMax at a time, one answer each of at most kServedModelsBytesMax; an
// engine that has no figures is asked in every 2nd, 4th ... 32nd round only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "discovery/endpoint_table.h"
#include "discovery/health.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::discovery {

// Lives on one loop; all members are called on its thread. Hosted providers are never asked.
class Scraper {
 public:
  // `probe` and `table` must outlive this.
  Scraper(net::Loop& loop, const EndpointTable& table, Probe probe);
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;
  ~Scraper();  // stop() must have finished

  // Begins the rounds; their settings are those of the table's current set.
  void start();
  net::Task<void> stop();
  std::uint64_t scrapes() const { return scrapes_; }

 private:
  // How an engine has answered so far.
  struct History {
    std::uint32_t failures = 0;    // in a row
    std::uint64_t next_round = 0;  // it is asked again
  };
  struct Round;
  net::Task<void> run();
  net::Task<void> worker(std::shared_ptr<Round> round);
  net::Task<void> scrape(const EndpointEntry& entry, const config::EngineMetrics& settings);
  void note(const Endpoint& endpoint, bool good);

  net::Loop& loop_;
  const EndpointTable& table_;
  Probe probe_;
  net::TaskGroup tasks_;
  net::OneShot<bool> wake_;
  net::Cancellation cancel_;
  std::map<const Endpoint*, History> histories_;  // of the last round's endpoints
  std::uint64_t rounds_ = 0;
  std::uint64_t scrapes_ = 0;
  bool stopped_ = false;
};

}  // namespace signalbox::discovery
