// A snapshot: one configuration, compiled. Immutable and shared by all cores; a request takes it once and keeps it, so a
// reload never changes a request under way. Building one may be slow (candidate embeddings), never on the data path.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/model.h"
#include "decision/program.h"
#include "encoder/encoder.h"
#include "encoder/pool.h"
#include "listener/http/connection.h"
#include "pipeline/access.h"
#include "signals/evaluator.h"
#include "upstream/local_tokenizers.h"

namespace signalbox::pipeline {

// A routing block (the file's own or a recipe's) ready to run.
struct Routing {
  const config::Routing* source = nullptr;  // lives in the snapshot's config
  decision::Program program;
  std::unique_ptr<const signals::Evaluator> evaluator;
};

struct Snapshot {
  std::shared_ptr<const config::Config> config;
  std::uint64_t epoch = 0;
  std::shared_ptr<const Routing> main;
  std::map<std::string, std::shared_ptr<const Routing>, std::less<>> recipes;
  std::shared_ptr<const config::Config> rules;  // what `main` and `recipes` were compiled from
  std::shared_ptr<const listener::ConnectionSettings> connection;
  std::shared_ptr<const AccessTable> access;
  std::shared_ptr<const upstream::LocalTokenizers> tokenizers;  // nullptr: none
  encoder::Pool* encoder_pool = nullptr;  // of the process; nullptr: the keyword rung answers

  // The routing of a recipe, or the file's own for an empty name.
  const Routing& routing(std::string_view recipe) const;
};

// Compiles. `pool` may be nullptr (keyword rung). What clients have used is taken over from `before`, which may be nullptr.
// Errors: kConfig with what a rule or pattern does wrong.
Result<std::shared_ptr<const Snapshot>> build_snapshot(std::shared_ptr<const config::Config> config,
                                                       std::uint64_t epoch,
                                                       const signals::Models& models,
                                                       encoder::Pool* pool,
                                                       const Snapshot* before = nullptr);

// `compiled` with other models and engines; its rules are shared, so this costs no compilation.
std::shared_ptr<const Snapshot> with_engines(const Snapshot& compiled,
                                             std::shared_ptr<const config::Config> config);

// The current snapshot. Readers on the data path use a View: one relaxed load unless something new was published.
class SnapshotStore {
 public:
  void publish(std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Snapshot> current() const;
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;  // guards current_
  std::shared_ptr<const Snapshot> current_;
  std::atomic<std::uint64_t> version_{0};
};

// One core's copy.
class SnapshotView {
 public:
  explicit SnapshotView(const SnapshotStore& store) : store_(store) {}
  const std::shared_ptr<const Snapshot>& get();

 private:
  const SnapshotStore& store_;
  std::uint64_t version_ = 0;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace signalbox::pipeline
