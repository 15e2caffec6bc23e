#include "pipeline/snapshot.h"

#include <utility>

namespace signalbox::pipeline {
namespace {

Result<std::shared_ptr<const Routing>> compile(const config::Config& config,
                                               const config::Routing& source,
                                               const signals::Models& models) {
  SBX_TRY(auto program, decision::Program::compile(source));
  SBX_TRY(auto evaluator, signals::Evaluator::create(source.signals, program.leaves(), models,
                                                     signals::settings_of(config)));
  auto routing = std::make_shared<Routing>(
      Routing{.source = &source, .program = std::move(program), .evaluator = std::move(evaluator)});
  return std::shared_ptr<const Routing>(std::move(routing));
}

Result<std::shared_ptr<const listener::ConnectionSettings>> connection_settings(
    const config::Config& config) {
  const config::Own& own = config.own;
  auto settings = std::make_shared<listener::ConnectionSettings>();
  settings->body_bytes_max = own.limits.body_bytes_max;
  settings->head_timeout = own.limits.head_timeout;
  settings->body_timeout = own.limits.body_timeout;
  settings->idle_timeout = own.limits.idle_timeout;
  settings->write_timeout = own.limits.stream_idle_timeout;
  settings->total_timeout = own.limits.total_timeout;
  settings->identity = {.user = own.user_id_header, .groups = own.user_groups_header};
  SBX_TRY(settings->trusted, listener::TrustedPeers::parse(own.trusted_peers));
  return std::shared_ptr<const listener::ConnectionSettings>(std::move(settings));
}

}  // namespace

const Routing& Snapshot::routing(std::string_view recipe) const {
  if (recipe.empty()) return *main;
  const auto found = recipes.find(recipe);
  return found == recipes.end() ? *main : *found->second;
}

Result<std::shared_ptr<const Snapshot>> build_snapshot(std::shared_ptr<const config::Config> config,
                                                       std::uint64_t epoch,
                                                       const signals::Models& models,
                                                       encoder::Pool* pool,
                                                       const Snapshot* before) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->epoch = epoch;
  snapshot->encoder_pool = pool;
  SBX_TRY(snapshot->main, compile(*config, config->routing, models));
  for (const auto& recipe : config->recipes) {
    SBX_TRY(auto routing, compile(*config, recipe.routing, models));
    snapshot->recipes.emplace(recipe.name, std::move(routing));
  }
  SBX_TRY(snapshot->connection, connection_settings(*config));
  snapshot->access = std::make_shared<const AccessTable>(
      config->own.access, before == nullptr ? nullptr : before->access.get());
  snapshot->rules = config;
  snapshot->config = std::move(config);
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

std::shared_ptr<const Snapshot> with_engines(const Snapshot& compiled,
                                             std::shared_ptr<const config::Config> config) {
  auto snapshot = std::make_shared<Snapshot>(compiled);
  snapshot->config = std::move(config);
  return snapshot;
}

void SnapshotStore::publish(std::shared_ptr<const Snapshot> snapshot) {
  const std::lock_guard lock(mutex_);
  current_ = std::move(snapshot);
  version_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const Snapshot> SnapshotStore::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

const std::shared_ptr<const Snapshot>& SnapshotView::get() {
  const std::uint64_t version = store_.version();
  if (version != version_) {
    snapshot_ = store_.current();
    version_ = version;
  }
  return snapshot_;
}

}  // namespace signalbox::pipeline
