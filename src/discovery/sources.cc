#include "discovery/sources.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "config/engine_list.h"

namespace signalbox::discovery {
namespace {

constexpr std::chrono::milliseconds kFileCheckInterval{250};

using Changed = std::function<void(std::vector<Placement>)>;

void place(std::vector<Placement>& placements, const config::BackendRef& backend,
           const std::vector<std::string>& models) {
  if (models.empty()) placements.push_back({{}, backend});
  for (const std::string& model : models) placements.push_back({model, backend});
}

class FileEngines final : public Discovery, private net::Timer {
 public:
  FileEngines(net::Loop& loop, std::string path)
      : loop_(loop), path_(std::move(path)), watcher_(path_) {}

  void start(Changed changed) override {
    changed_ = std::move(changed);
    read();
    loop_.arm(*this, Deadline::after(loop_.now(), kFileCheckInterval));
  }
  void stop() override { unlink(); }

 private:
  void expired() override {
    loop_.arm(*this, Deadline::after(loop_.now(), kFileCheckInterval));
    if (watcher_.changed()) read();
  }

  void read() {
    auto text = read_file(path_, limits::kEngineListBytesMax);
    auto engines =
        text ? config::read_engine_list(*text, path_)
             : Result<std::vector<config::ListedEngine>>(std::unexpected(std::move(text).error()));
    if (!engines) {
      log::error("engines not changed: {}", engines.error().message);
      return;
    }
    std::vector<Placement> placements;
    for (const auto& engine : *engines) place(placements, engine.backend, engine.models);
    log::info("{} lists {} engines", path_, engines->size());
    changed_(std::move(placements));
  }

  net::Loop& loop_;
  std::string path_;
  config::Watcher watcher_;
  Changed changed_;
};

class DnsSource final : public Discovery, private net::Timer {
 public:
  DnsSource(net::Loop& loop, net::Resolver& resolver, config::DnsEngines settings)
      : loop_(loop), resolver_(resolver), settings_(std::move(settings)) {}
  ~DnsSource() override { *alive_ = false; }

  void start(Changed changed) override {
    changed_ = std::move(changed);
    ask();
  }
  void stop() override {
    unlink();
    stopped_ = true;
  }

 private:
  void expired() override { ask(); }

  void ask() {
    net::DnsQuestion question;
    question.name = settings_.name;
    question.srv = settings_.srv;
    question.server = settings_.server;
    resolver_.look_up(std::move(question),
                      [this, alive = alive_](Result<std::vector<net::DnsRecord>> records) {
                        if (*alive && !stopped_) answered(std::move(records));
                      });
  }

  void answered(Result<std::vector<net::DnsRecord>> records) {
    loop_.arm(*this, Deadline::after(loop_.now(), settings_.interval));
    if (!records) {
      log::warning("DNS name {} not looked up, its engines stay: {}", settings_.name,
                   records.error().message);
      return;
    }
    if (known_ && *known_ == *records) return;
    known_ = *std::move(records);
    std::vector<Placement> placements;
    for (const net::DnsRecord& record : *known_) {
      config::BackendRef backend;
      backend.name = record.address;
      backend.scheme = settings_.scheme;
      backend.host = record.address;
      backend.port = record.port != 0 ? record.port : settings_.port;
      backend.weight = record.weight;
      backend.label = settings_.label;
      backend.api_key = settings_.api_key;
      place(placements, backend, settings_.models);
    }
    log::info("DNS name {} stands for {} engines", settings_.name, known_->size());
    changed_(std::move(placements));
  }

  net::Loop& loop_;
  net::Resolver& resolver_;
  config::DnsEngines settings_;
  Changed changed_;
  std::optional<std::vector<net::DnsRecord>> known_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool stopped_ = false;
};

}  // namespace

std::unique_ptr<Discovery> file_engines(net::Loop& loop, std::string path) {
  return std::make_unique<FileEngines>(loop, std::move(path));
}

std::unique_ptr<Discovery> dns_engines(net::Loop& loop, net::Resolver& resolver,
                                       config::DnsEngines settings) {
  return std::make_unique<DnsSource>(loop, resolver, std::move(settings));
}

std::vector<std::unique_ptr<Discovery>> make_sources(net::Loop& loop, net::Resolver* resolver,
                                                     const config::Discovery& settings) {
  std::vector<std::unique_ptr<Discovery>> sources;
  for (const std::string& path : settings.files) sources.push_back(file_engines(loop, path));
  for (const auto& name : settings.dns) sources.push_back(dns_engines(loop, *resolver, name));
  return sources;
}

}  // namespace signalbox::discovery
