#include "discovery/health.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "discovery/health_request.h"
#include "json/document.h"

namespace signalbox::discovery {
namespace {

// Checks are spread by this share of the interval to both sides.
constexpr double kJitter = 0.1;

std::string first_model(const EndpointSet& set, const EndpointEntry& entry) {
  return entry.groups.empty() ? std::string() : set.groups()[entry.groups.front()].model;
}

// {"is_sleeping": true}; everything else is awake.
bool says_sleeping(const ProbeAnswer& answer) {
  if (answer.status != 200) return false;
  const auto document = json::Document::parse(answer.body);
  if (!document) return false;
  const auto flag = document->root().find("is_sleeping");
  return flag && *flag && (*flag)->boolean().value_or(false);
}

}  // namespace

CheckCounter::CheckCounter(int unhealthy_after, int healthy_after) {
  configure(unhealthy_after, healthy_after);
}

void CheckCounter::configure(int unhealthy_after, int healthy_after) {
  unhealthy_after_ = std::max(1, unhealthy_after);
  healthy_after_ = std::max(1, healthy_after);
}

std::optional<Health> CheckCounter::observe(bool good) {
  good_in_row_ = good ? std::min(good_in_row_ + 1, healthy_after_) : 0;
  bad_in_row_ = good ? 0 : std::min(bad_in_row_ + 1, unhealthy_after_);
  Health next = verdict_;
  if (good && (verdict_ == Health::kUnknown || good_in_row_ >= healthy_after_))
    next = Health::kHealthy;
  if (!good && bad_in_row_ >= unhealthy_after_) next = Health::kUnhealthy;
  if (next == verdict_) return std::nullopt;
  verdict_ = next;
  return next;
}

// One endpoint under watch; shared between the map and its task, which outlives its place in the map while it ends.
struct HealthChecker::Watch {
  Watch(net::Loop& loop, const EndpointSet& set, const EndpointEntry& entry)
      : endpoint(entry.endpoint),
        model(first_model(set, entry)),
        settings(entry.health),
        backend(entry.backend),
        counter(entry.health.unhealthy_after, entry.health.healthy_after),
        wake(loop) {}
  std::shared_ptr<Endpoint> endpoint;
  std::string model;  // of real health requests
  HealthSettings settings;
  config::BackendRef backend;
  CheckCounter counter;
  net::OneShot<bool> wake;  // of the present pause; replaced for each
  net::Cancellation cancel;
  bool stopped = false;
  bool can_sleep = true;  // until it says that it does not know the question
  Deadline next_models = Deadline::after(TimePoint{}, Duration{});
};

HealthChecker::HealthChecker(net::Loop& loop, EndpointTable& table, Probe probe, std::uint64_t seed)
    : loop_(loop), table_(table), probe_(std::move(probe)), random_(seed), tasks_(loop) {}

HealthChecker::~HealthChecker() { SBX_ASSERT(tasks_.size() == 0); }

void HealthChecker::apply(const EndpointSet& set) {
  for (auto at = watches_.begin(); at != watches_.end();) {
    const EndpointEntry* entry = set.find_endpoint(*at->first);
    const auto here = at++;
    if (entry != nullptr && entry->health.active) continue;
    const auto watch = here->second;
    watches_.erase(here);
    watch->stopped = true;
    watch->endpoint->set_health(Health::kUnknown);  // nobody will say otherwise any more
    watch->cancel.cancel();
    watch->wake.set(true);
  }
  for (const EndpointEntry& entry : set.endpoints()) {
    if (!entry.health.active) continue;
    auto& watch = watches_[entry.endpoint.get()];
    if (!watch) {
      watch = std::make_shared<Watch>(loop_, set, entry);
      tasks_.spawn(run(watch));
      continue;
    }
    watch->backend = entry.backend;
    watch->model = first_model(set, entry);
    if (watch->settings == entry.health) continue;
    watch->settings = entry.health;
    watch->counter.configure(entry.health.unhealthy_after, entry.health.healthy_after);
    watch->wake.set(true);
  }
}

net::Task<void> HealthChecker::stop() {
  for (const auto& [endpoint, watch] : std::exchange(watches_, {})) {
    watch->stopped = true;
    watch->cancel.cancel();
    watch->wake.set(true);
  }
  co_await tasks_.join();
}

Deadline HealthChecker::next_check(const Watch& watch) {
  const double factor = 1.0 - kJitter + 2.0 * kJitter * random_.unit();
  const auto pause = std::chrono::duration_cast<Duration>(watch.settings.interval * factor);
  return Deadline::after(loop_.now(), pause);
}

net::Task<void> HealthChecker::run(std::shared_ptr<Watch> watch) {
  while (!watch->stopped) {
    const bool good = co_await check(watch);
    if (watch->stopped) break;
    if (good && watch->next_models.passed(loop_.now())) {
      watch->next_models = Deadline::after(loop_.now(), watch->settings.models_interval);
      co_await ask_sleep(watch);
      if (watch->stopped) break;
      co_await ask_models(watch);
    }
    if (watch->stopped) break;
    watch->wake = net::OneShot<bool>(loop_);
    co_await watch->wake.wait(next_check(*watch));
  }
}

net::Task<bool> HealthChecker::check(std::shared_ptr<Watch> watch) {
  ProbeTarget target{watch->endpoint, watch->backend,
                     watch->endpoint->base_path() + watch->settings.path,
                     Deadline::after(loop_.now(), watch->settings.timeout)};
  // A sleeping engine cannot answer a real request and is none the worse for it.
  const bool real = !watch->backend.health_request.empty() && !watch->model.empty() &&
                    !watch->endpoint->sleeping();
  if (real) {
    HealthRequest request = health_request(watch->backend.health_request, watch->model);
    target.path = watch->endpoint->base_path() + request.path;
    target.body = std::move(request.body);
    target.content_type = std::move(request.content_type);
  }
  const auto answer = co_await probe_(std::move(target), false, &watch->cancel);
  if (watch->stopped) co_return false;
  const bool good = answer && (real ? answer->status == 200 : answer->status < 500);
  noted(*watch, good, answer ? "status " + std::to_string(answer->status) : answer.error().message);
  co_return good;
}

void HealthChecker::noted(Watch& watch, bool good, const std::string& why) {
  ++(good ? counts_.good : counts_.bad);
  const Health before = watch.counter.verdict();
  const auto verdict = watch.counter.observe(good);
  if (!verdict) return;
  Endpoint& endpoint = *watch.endpoint;
  if (*verdict == Health::kHealthy) {
    // What is back may be another process with other adapters, and its caches are cold.
    watch.next_models = Deadline::after(TimePoint{}, Duration{});
    watch.can_sleep = true;
    if (before == Health::kUnhealthy || endpoint.joined_late())
      endpoint.begin_slow_start(loop_.now());
  }
  endpoint.set_health(*verdict);
  if (*verdict == Health::kHealthy) {
    log::info("endpoint {} is healthy", endpoint.url());
  } else {
    log::warning("endpoint {} is unhealthy: {}", endpoint.url(), why);
  }
}

void HealthChecker::ask_soon(const Endpoint& endpoint) {
  const auto found = watches_.find(&endpoint);
  if (found == watches_.end()) return;
  found->second->next_models = Deadline::after(TimePoint{}, Duration{});
  found->second->wake.set(true);
}

net::Task<void> HealthChecker::ask_sleep(std::shared_ptr<Watch> watch) {
  if (!watch->can_sleep) co_return;
  ProbeTarget target{watch->endpoint, watch->backend, watch->endpoint->base_path() + "/is_sleeping",
                     Deadline::after(loop_.now(), watch->settings.timeout)};
  const auto answer = co_await probe_(std::move(target), true, &watch->cancel);
  if (watch->stopped || !answer) co_return;
  if (answer->status == 404 || answer->status == 405) watch->can_sleep = false;
  const bool sleeping = says_sleeping(*answer);
  if (sleeping != watch->endpoint->sleeping())
    log::info("endpoint {} {}", watch->endpoint->url(), sleeping ? "sleeps" : "is awake");
  watch->endpoint->set_sleeping(sleeping, loop_.now());
}

// Not every upstream has a model list: failing to get one is no news about its health.
net::Task<void> HealthChecker::ask_models(std::shared_ptr<Watch> watch) {
  ProbeTarget target{watch->endpoint, watch->backend, watch->endpoint->base_path() + "/v1/models",
                     Deadline::after(loop_.now(), watch->settings.timeout)};
  const auto answer = co_await probe_(std::move(target), true, &watch->cancel);
  if (watch->stopped || !answer || answer->status != 200) co_return;
  auto served = parse_served_models(answer->body);
  if (!served) {
    log::debug("endpoint {}: {}", watch->endpoint->url(), served.error().message);
    co_return;
  }
  table_.learn(*watch->endpoint, *std::move(served));
}

}  // namespace signalbox::discovery
