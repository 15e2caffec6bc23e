#include "pipeline/control.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "config/watch.h"
#include "http/fetch.h"
#include "net/network.h"
#include "upstream/credentials.h"

namespace signalbox::pipeline {
namespace {

constexpr std::chrono::milliseconds kFileCheckInterval{250};
constexpr std::chrono::milliseconds kEndpointCheckInterval{100};
constexpr std::chrono::seconds kEngineWindowInterval{1};
constexpr std::chrono::seconds kSpanExportInterval{1};
constexpr std::chrono::seconds kSpanExportTimeout{10};
constexpr std::chrono::seconds kLastSpansTimeout{2};

net::Task<Result<discovery::ProbeAnswer>> probe(http::ClientPool* clients,
                                                discovery::ProbeTarget target, bool want_body,
                                                net::Cancellation* cancel) {
  const net::Address& address = target.endpoint->address();
  http::FetchRequest request;
  request.url = fmt::format("{}://{}{}", address.tls ? "https" : "http", net::to_string(address),
                            target.path);
  upstream::add_probe_credentials(target.backend, request.headers);
  if (!target.body.empty()) {
    request.method = "POST";
    request.headers.set("Content-Type", target.content_type);
    request.body = std::move(target.body);
  }
  request.response_bytes_max = limits::kServedModelsBytesMax;
  auto response = co_await http::fetch(clients, std::move(request), target.deadline, cancel);
  if (!response) co_return std::unexpected(std::move(response).error());
  discovery::ProbeAnswer answer;
  answer.status = response->status;
  if (want_body) answer.body = std::move(response->body);
  co_return answer;
}

// "host:4318" is an OTLP/HTTP receiver; a URL is taken as it is, with the standard path if it has none.
std::string otlp_url(const config::Tracing& tracing) {
  std::string url = tracing.endpoint;
  if (url.find("://") == std::string::npos) url = "http://" + url;
  const auto path = url.find('/', url.find("://") + 3);
  if (path == std::string::npos) url += telemetry::kOtlpTracesPath;
  return url;
}

}  // namespace

void watch_engines(Services& services) {
  services.instruments.watch_engines(
      [&services](std::vector<telemetry::EngineSample>& out) {
        const auto set = services.endpoints.current();
        const TimePoint now = services.clock.now();
        for (const auto& entry : set->endpoints()) {
          const discovery::Endpoint& endpoint = *entry.endpoint;
          telemetry::EngineSample sample;
          sample.server = endpoint.url();
          sample.healthy =
              endpoint.health() != discovery::Health::kUnhealthy && !endpoint.sleeping();
          sample.ejected = endpoint.service(now) == discovery::Service::kEjected;
          sample.requests_running = endpoint.in_flight();
          const int decoding = endpoint.decoding();
          sample.requests_decoding = decoding;
          sample.requests_prefill = std::max(0, endpoint.in_flight() - decoding);
          if (const auto rates = services.engine_windows.rates(endpoint.url())) {
            sample.qps = rates->qps;
            sample.latency_avg_seconds = rates->latency_avg_seconds;
          }
          out.push_back(std::move(sample));
        }
      },
      services.clock);
}

// Calls a function at an interval for as long as it lives.
class Control::Ticker final : public net::Timer {
 public:
  Ticker(net::Loop& loop, Duration interval, std::function<void()> tick)
      : loop_(loop), interval_(interval), tick_(std::move(tick)) {
    loop_.arm(*this, Deadline::after(loop_.now(), interval_));
  }
  void expired() override {
    loop_.arm(*this, Deadline::after(loop_.now(), interval_));
    tick_();
  }

 private:
  net::Loop& loop_;
  Duration interval_;
  std::function<void()> tick_;
};

Control::Control(Services& services, Loader& loader)
    : services_(services),
      loader_(loader),
      loop_(net::make_loop()),
      network_(net::make_network(*loop_)),
      clients_(*loop_, *network_),
      tasks_(*loop_),
      health_(
          *loop_, services.endpoints,
          [this](discovery::ProbeTarget target, bool want_body, net::Cancellation* cancel) {
            return probe(&clients_, std::move(target), want_body, cancel);
          },
          entropy_seed()),
      scraper_(*loop_, services.endpoints,
               [this](discovery::ProbeTarget target, bool want_body, net::Cancellation* cancel) {
                 return probe(&clients_, std::move(target), want_body, cancel);
               }),
      kv_feed_(services.instruments),
      agreement_(*loop_, clients_, services.instruments),
      lmcache_feed_(services.endpoints, services.instruments) {
  signals_ = net::watch_signals(*loop_, [this](bool terminate) {
    if (terminate) {
      loop_->stop();
    } else {
      reload();
    }
  });
  for (const std::string& file : loader_.files()) files_.emplace_back(file);
  if (!files_.empty()) {
    tickers_.push_back(
        std::make_unique<Ticker>(*loop_, kFileCheckInterval, [this] { check_files(); }));
  }
  tickers_.push_back(std::make_unique<Ticker>(*loop_, kEngineWindowInterval, [this] {
    services_.engine_windows.sample(*services_.endpoints.current(), loop_->now());
    log_engines();
  }));
  tickers_.push_back(std::make_unique<Ticker>(*loop_, kEndpointCheckInterval, [this] {
    apply_snapshot();
    agreement_.look(services_.endpoints.current(), services_.snapshots.current()->tokenizers);
  }));
  const config::Tracing& tracing = services_.snapshots.current()->config->tracing;
  if (tracing.enabled && !tracing.endpoint.empty()) {
    trace_url_ = otlp_url(tracing);
    exporter_ = std::make_unique<telemetry::OtlpExporter>(
        services_.spans,
        telemetry::OtlpResource{.service_name = tracing.service_name,
                                .service_version = services_.version,
                                .attributes = {}},
        [this](std::string body, std::function<void(bool)> done) {
          send_spans(std::move(body), std::move(done));
        },
        [this](std::size_t spans, bool accepted) {
          auto& counter =
              accepted ? services_.instruments.spans_exported : services_.instruments.spans_dropped;
          counter.add(spans);
        });
    tickers_.push_back(
        std::make_unique<Ticker>(*loop_, kSpanExportInterval, [this] { exporter_->flush(); }));
  }
  services_.engines_changed = [this](std::function<void()> done) {
    loop_->post([this, done = std::move(done)] {
      apply_snapshot();
      done();
    });
  };
  services_.engine_windows.sample(*services_.endpoints.current(), loop_->now());
  apply_snapshot();
  follow_sources();
  scraper_.start();
}

Control::~Control() = default;

void Control::run() { loop_->run(); }

void Control::check_files() {
  bool changed = false;
  for (config::Watcher& file : files_) changed |= file.changed();
  if (changed) reload();
}

void Control::reload() {
  if (files_.empty()) return;
  if (auto loaded = loader_.load(); !loaded) {
    services_.instruments.config_reloads.with("failure").add();
    log::error("configuration not changed, the one in force stays: {}", loaded.error().message);
    return;
  }
  services_.instruments.config_reloads.with("success").add();
  follow_sources();
  apply_snapshot();
}

void Control::follow_sources() {
  if (loader_.discovery() == followed_) return;
  for (const auto& source : sources_) source->stop();
  sources_.clear();
  followed_ = loader_.discovery();
  if (!followed_.dns.empty() && !resolver_) resolver_ = net::make_resolver(*loop_);
  sources_ = discovery::make_sources(*loop_, resolver_.get(), followed_);
  found_.assign(sources_.size(), {});
  if (sources_.empty()) loader_.found({});
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    sources_[i]->start([this, i](std::vector<discovery::Placement> placements) {
      engines_found(i, std::move(placements));
    });
  }
}

void Control::engines_found(std::size_t source, std::vector<discovery::Placement> placements) {
  found_[source] = std::move(placements);
  std::vector<discovery::Placement> all;
  for (const auto& list : found_) all.insert(all.end(), list.begin(), list.end());
  loader_.found(std::move(all));
  apply_snapshot();
}

void Control::log_engines() {
  const auto& settings = services_.snapshots.current()->config->own.engine_metrics;
  if (settings.log_interval.count() == 0 || loop_->now() < next_engine_log_) return;
  next_engine_log_ = loop_->now() + settings.log_interval;
  const auto set = services_.endpoints.current();
  for (const auto& entry : set->endpoints()) {
    const auto& endpoint = *entry.endpoint;
    const auto rates = services_.engine_windows.rates(endpoint.url()).value_or(EngineRates{});
    std::string models;
    for (const std::size_t group : entry.groups)
      models += (models.empty() ? "" : ",") + set->groups()[group].model;
    log::info(
        "engine {}: models {}, {}, {} running, {} decoding, {} finished, {:.2f} a second, "
        "{:.3f} s a request",
        endpoint.url(), models.empty() ? "-" : models,
        endpoint.health() == discovery::Health::kUnhealthy ? "unhealthy"
        : endpoint.sleeping()                              ? "sleeping"
                                                           : "in service",
        endpoint.in_flight(), endpoint.decoding(), endpoint.totals().finished, rates.qps,
        rates.latency_avg_seconds);
  }
}

void Control::apply_snapshot() {
  if (services_.endpoints.version() == endpoint_version_) return;
  loader_.refresh();  // what an engine has said about its models may be news for the configuration
  endpoint_version_ = services_.endpoints.version();
  const auto set = services_.endpoints.current();
  health_.apply(*set);
  kv_feed_.apply(*set);
  lmcache_feed_.apply(*set);
}

void Control::send_spans(std::string body, std::function<void(bool)> done) {
  tasks_.spawn(post_spans(std::move(body), std::move(done)));
}

net::Task<void> Control::post_spans(std::string body, std::function<void(bool)> done) {
  http::FetchRequest request;
  request.method = "POST";
  request.url = trace_url_;
  request.headers.add("Content-Type", std::string(telemetry::kOtlpContentType));
  request.body = std::move(body);
  const auto response = co_await http::fetch(
      &clients_, std::move(request), Deadline::after(loop_->now(), kSpanExportTimeout), &stop_);
  done(response && response->status < 300);
}

net::Task<void> Control::stop_checks() {
  for (const auto& source : sources_) source->stop();
  co_await health_.stop();
  co_await scraper_.stop();
  co_await agreement_.stop();
  co_await tasks_.join();
  loop_->post([this] { loop_->stop(); });
}

net::Task<void> Control::last_spans() {
  const Deadline deadline = Deadline::after(loop_->now(), kLastSpansTimeout);
  if (exporter_) {
    exporter_->flush();
    while (exporter_->sending() && !deadline.passed(loop_->now())) {
      co_await loop_->sleep(std::chrono::milliseconds(20));
    }
  }
  stop_.cancel();
}

void Control::finish() {
  tickers_.clear();
  signals_.reset();
  tasks_.spawn(last_spans());
  net::TaskGroup end(*loop_);
  end.spawn(stop_checks());
  loop_->run();
}

}  // namespace signalbox::pipeline
