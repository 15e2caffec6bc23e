// From a configuration file to a published snapshot, at start and on every change: load, validate, compile, publish; a
// configuration that fails leaves the old one in force. Runs on the control loop, never on a core.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/encoder.h"
#include "encoder/hub_task.h"
#include "encoder/locate.h"
#include "encoder/pool.h"
#include "pipeline/engines.h"
#include "pipeline/services.h"
#include "signals/language_model.h"

namespace signalbox::pipeline {

class Loader {
 public:
  // `config_file` empty: the embedded default. Services outlive the loader, the
  // loader outlives the cores: it owns the models that snapshots point to.
  Loader(Services& services, std::string config_file, encoder::Directories directories)
      : services_(services),
        config_file_(std::move(config_file)),
        directories_(std::move(directories)) {}

  // Loads and publishes. Errors: kConfig, kIo; the snapshot in force stays.
  Result<void> load();
  // Ends the compute threads; while the cores' loops still exist, because finished work is posted to them.
  void close() { encoder_pool_.reset(); }
  const EmbeddedEngines& engines() const { return engines_; }
  const std::string& config_file() const { return config_file_; }

 private:
  Result<std::shared_ptr<const config::Config>> read();
  // Errors: kConfig (a directory of model_catalog that cannot be used).
  Result<void> load_models(const config::Config& config);

  Services& services_;
  std::string config_file_;
  encoder::Directories directories_;
  EmbeddedEngines engines_;
  std::unique_ptr<const signals::LanguageModel> language_;
  std::unique_ptr<const encoder::Encoder> encoder_;
  std::vector<encoder::HubTask> hub_tasks_;  // what the encoder was loaded with
  std::unique_ptr<encoder::Pool> encoder_pool_;
  std::uint64_t epoch_ = 0;
};

}  // namespace signalbox::pipeline
