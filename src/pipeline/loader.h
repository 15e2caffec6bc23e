// From a configuration file to a published snapshot, at start and on every change: load, validate, compile, publish; a
// configuration that fails leaves the old one in force. Runs on the control loop, never on a core.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/load.h"
#include "discovery/merge.h"
#include "encoder/encoder.h"
#include "encoder/hub_task.h"
#include "encoder/locate.h"
#include "encoder/pool.h"
#include "pipeline/engines.h"
#include "pipeline/services.h"
#include "signals/language_model.h"

namespace signalbox::pipeline {

// Where a configuration comes from.
struct ConfigSource {
  std::function<Result<config::Loaded>()> load;
  std::vector<std::string> files;  // a change of one of them loads again
  std::string name;                // for the log
};
// A file; an empty name is the embedded default.
ConfigSource config_file_source(const std::string& file);

class Loader {
 public:
  // Services outlive the loader, the loader outlives the cores: it owns the models that snapshots point to.
  Loader(Services& services, ConfigSource source, encoder::Directories directories)
      : services_(services), source_(std::move(source)), directories_(std::move(directories)) {}

  // Loads and publishes. Errors: kConfig, kIo; the snapshot in force stays.
  Result<void> load();
  // Engines that sources found, all of them.
  void found(std::vector<discovery::Placement> placements);
  // Publishes anew if engines have said something about their models that the configuration in force does not know.
  void refresh();
  // Ends the compute threads; while the cores' loops still exist, because finished work is posted to them.
  void close() { encoder_pool_.reset(); }
  const EmbeddedEngines& engines() const { return engines_; }
  const std::vector<std::string>& files() const { return source_.files; }
  const config::Discovery& discovery() const { return base_->own.discovery; }

 private:
  Result<std::shared_ptr<const config::Config>> read();
  // Errors: kConfig (a directory of model_catalog that cannot be used).
  Result<void> load_models(const config::Config& config);
  std::shared_ptr<const config::Config> merge();
  void publish();

  Services& services_;
  ConfigSource source_;
  encoder::Directories directories_;
  std::shared_ptr<const config::Config> base_;  // as loaded, without what was found
  std::shared_ptr<const Snapshot> compiled_;    // of base_
  std::vector<discovery::Placement> found_;
  discovery::SeenModels seen_;
  EmbeddedEngines engines_;
  std::unique_ptr<const signals::LanguageModel> language_;
  std::unique_ptr<const encoder::Encoder> encoder_;
  std::vector<encoder::HubTask> hub_tasks_;  // what the encoder was loaded with
  std::unique_ptr<encoder::Pool> encoder_pool_;
  std::uint64_t epoch_ = 0;
};

}  // namespace signalbox::pipeline
