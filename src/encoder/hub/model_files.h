// Which files of a hub directory, an adapter's and its base's, make up a classifier.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "encoder/hub/hub_config.h"
#include "encoder/hub/model_weights.h"
#include "tokenize/tokenizer.h"

namespace signalbox::encoder {

struct ModelFiles {
  HubConfig config;
  HeadKind head_kind = HeadKind::kNone;
  std::shared_ptr<const ModelWeights> weights;
  std::unique_ptr<const tokenize::Tokenizer> tokenizer;
  // Labels of the mapping file, else of config.json; may be empty.
  std::vector<std::string> labels;
  bool labels_are_of_base = false;  // may not fit what an adapter was trained for
  std::string classifier_json;      // its content; empty when there is none

  // Errors: as ClassifierModel::load.
  static Result<ModelFiles> open(const std::string& directory, const std::string& base_directory,
                                 const std::string& mapping_path);
};

}  // namespace signalbox::encoder
