#include "upstream/watchdog.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "http/fetch.h"
#include "upstream/credentials.h"

namespace signalbox::upstream {

void Prober::ask(Question question, std::function<void(bool)> answered) {
  const auto key = question.endpoint.get();
  const auto [at, first] = asking_.try_emplace(key);
  at->second.waiting.push_back(std::move(answered));
  if (!first) return;
  const Deadline deadline = Deadline::after(loop_.now(), question.timeout);
  tasks_.spawn(
      run(std::move(question.endpoint), *question.backend, std::move(question.path), deadline));
}

net::Task<void> Prober::run(std::shared_ptr<discovery::Endpoint> endpoint,
                            config::BackendRef backend, std::string path, Deadline deadline) {
  const net::Address& address = endpoint->address();
  http::FetchRequest request;
  request.url = fmt::format("{}://{}{}{}", address.tls ? "https" : "http", net::to_string(address),
                            endpoint->base_path(), path);
  add_probe_credentials(backend, request.headers);
  const auto answer = co_await http::fetch(&clients_, std::move(request), deadline, &closing_);
  const bool alive = answer && answer->status < 500;
  if (!alive) log::warning("endpoint {} is silent and does not answer {}", endpoint->url(), path);
  const auto at = asking_.find(endpoint.get());
  auto waiting = std::move(at->second.waiting);
  asking_.erase(at);
  for (const auto& answered : waiting) answered(alive);
}

net::Task<void> Prober::close() {
  closing_.cancel();
  co_await tasks_.join();
}

Watchdog::Watchdog(net::Loop& loop, Prober& prober, Watched watched, const config::Hung& settings,
                   net::Cancellation* client)
    : loop_(loop), prober_(prober), watched_(std::move(watched)), settings_(settings) {
  if (client != nullptr) client_.emplace(*client, [this] { attempt_.cancel(); });
}

Watchdog::~Watchdog() { stop(); }

void Watchdog::start() {
  watching_ = true;
  started_at_ = loop_.now();
  loop_.arm(*this, Deadline::after(started_at_, settings_.suspect_after));
}

void Watchdog::stop() {
  watching_ = false;
  unlink();
  if (self_) *self_ = nullptr;
  self_.reset();
}

void Watchdog::expired() {
  const bool too_long = watched_.streams && settings_.give_up_after.count() > 0 &&
                        loop_.now() - started_at_ >= settings_.give_up_after;
  if (too_long && watched_.elsewhere()) return give_up();
  if (watched_.health_path.empty()) return;
  if (!self_) self_ = std::make_shared<Watchdog*>(this);
  prober_.ask({watched_.endpoint, watched_.backend, watched_.health_path, settings_.probe_timeout},
              [self = self_](bool alive) {
                if (*self != nullptr) (*self)->answered(alive);
              });
}

void Watchdog::answered(bool alive) {
  if (!watching_) return;
  if (!alive && watched_.elsewhere()) return give_up();
  // Ever more patience with an engine that is alive, or the only one: a question after 1, 2, 4 ... times the first silence.
  const Duration silence = loop_.now() - started_at_;
  Duration next = std::max<Duration>(silence, settings_.suspect_after);
  if (watched_.streams && settings_.give_up_after > silence)
    next = std::min<Duration>(next, settings_.give_up_after - silence);
  loop_.arm(*this, Deadline::after(loop_.now(), next));
}

void Watchdog::give_up() {
  gave_up_ = true;
  watching_ = false;
  attempt_.cancel();
}

}  // namespace signalbox::upstream
