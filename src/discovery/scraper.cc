#include "discovery/scraper.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "discovery/engine_metrics.h"
#include "index/block_chain.h"

namespace signalbox::discovery {
namespace {

constexpr std::uint32_t kBackoffDoublingsMax = 5;
// While scraping is off, a reload that switches it on is noticed this soon.
constexpr std::chrono::seconds kOffCheckInterval{1};

bool has_figures(const EndpointEntry& entry) {
  return entry.backend.provider.empty() || entry.backend.provider == "vllm";
}

}  // namespace

// One pass over the endpoints of a set; workers take them in turn.
struct Scraper::Round {
  std::shared_ptr<const EndpointSet> set;
  std::vector<const EndpointEntry*> entries;
  std::size_t next = 0;
};

Scraper::Scraper(net::Loop& loop, const EndpointTable& table, Probe probe)
    : loop_(loop), table_(table), probe_(std::move(probe)), tasks_(loop), wake_(loop) {}

Scraper::~Scraper() { SBX_ASSERT(tasks_.size() == 0); }

void Scraper::start() { tasks_.spawn(run()); }

net::Task<void> Scraper::stop() {
  stopped_ = true;
  cancel_.cancel();
  wake_.set(true);
  co_await tasks_.join();
}

net::Task<void> Scraper::run() {
  while (!stopped_) {
    const auto set = table_.current();
    const config::EngineMetrics& settings = set->engine_metrics();
    const TimePoint begun = loop_.now();
    if (settings.enabled) {
      ++rounds_;
      auto round = std::make_shared<Round>();
      round->set = set;
      for (const EndpointEntry& entry : set->endpoints()) {
        const auto known = histories_.find(entry.endpoint.get());
        const bool due = known == histories_.end() || known->second.next_round <= rounds_;
        if (has_figures(entry) && due) round->entries.push_back(&entry);
      }
      std::erase_if(histories_, [&](const auto& history) {
        return set->find_endpoint(*history.first) == nullptr;
      });
      net::TaskGroup workers(loop_);
      const std::size_t count = std::min(limits::kScrapesMax, round->entries.size());
      for (std::size_t i = 0; i < count; ++i) workers.spawn(worker(round));
      co_await workers.join();
    }
    if (stopped_) break;
    wake_ = net::OneShot<bool>(loop_);
    const Duration pause =
        settings.enabled ? Duration(settings.interval) : Duration(kOffCheckInterval);
    co_await wake_.wait(Deadline::after(begun, pause));
  }
}

net::Task<void> Scraper::worker(std::shared_ptr<Round> round) {
  while (round->next < round->entries.size() && !stopped_) {
    const EndpointEntry& entry = *round->entries[round->next++];
    co_await scrape(entry, round->set->engine_metrics());
  }
}

net::Task<void> Scraper::scrape(const EndpointEntry& entry, const config::EngineMetrics& settings) {
  Endpoint& endpoint = *entry.endpoint;
  ++scrapes_;
  ProbeTarget target{entry.endpoint, entry.backend, endpoint.base_path() + settings.path,
                     Deadline::after(loop_.now(), settings.timeout)};
  const int own_before = endpoint.in_flight();
  const auto answer = co_await probe_(std::move(target), true, &cancel_);
  if (stopped_) co_return;
  EngineFigures figures;
  if (answer && answer->status == 200) figures = read_engine_figures(answer->body);
  note(endpoint, figures != EngineFigures{});
  if (figures.running >= 0) {
    // The engine counted somewhere between the question and the answer.
    endpoint.load().scraped(figures, (own_before + endpoint.in_flight()) / 2.0);
  }
  if (figures.cache_tokens > 0) {
    endpoint.cache().set_capacity(index::units_of_tokens(figures.cache_tokens));
  }
}

void Scraper::note(const Endpoint& endpoint, bool good) {
  History& history = histories_[&endpoint];
  history.failures = good ? 0 : history.failures + 1;
  const std::uint64_t rounds = std::uint64_t{1} << std::min(history.failures, kBackoffDoublingsMax);
  history.next_round = rounds_ + rounds;
}

}  // namespace signalbox::discovery
