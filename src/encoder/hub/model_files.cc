#include "encoder/hub/model_files.h"

#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/limits.h"

namespace signalbox::encoder {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool holds_model(const std::string& directory) {
  return exists(directory + "/model.safetensors") ||
         exists(directory + "/model.safetensors.index.json");
}

// A directory may hold an adapter and, beside it, the model it was merged into: then the latter counts.
bool holds_adapter(const std::string& directory) {
  return exists(directory + "/adapter_model.safetensors") ||
         (exists(directory + "/adapter_config.json") && !holds_model(directory));
}

Result<std::string> base_of(const std::string& directory, const std::string& wanted,
                            const LoraAdapter& adapter) {
  if (!wanted.empty()) return wanted;
  if (exists(directory + "/config.json") && holds_model(directory)) return directory;
  const std::string& named = adapter.base_model();
  for (const std::string& candidate : {named, directory + "/" + named}) {
    if (!named.empty() && exists(candidate + "/config.json")) return candidate;
  }
  return fail(Code::kIo, directory + " is an adapter of '" + named +
                             "', which is not a directory here: name the base model's directory");
}

HeadKind head_kind_of(const HubConfig& config, const LoraAdapter* adapter) {
  const std::string type = adapter == nullptr ? std::string() : adapter->task_type();
  if (type == "SEQ_CLS") return HeadKind::kSequence;
  if (type == "TOKEN_CLS") return HeadKind::kTokens;
  if (type == "CAUSAL_LM") return HeadKind::kLabelTokens;
  return config.head_kind;
}

Result<std::vector<std::string>> read_mapping(const std::string& path) {
  SBX_TRY(const auto text, read_file(path, limits::kModelMetadataBytesMax));
  for (const std::string_view key : {"idx_to_label", "idx_to_category", "id2label"}) {
    auto labels = parse_labels(text, key);
    if (!labels) return fail(labels.error().code, path + ": " + labels.error().message);
    if (!labels->empty()) return labels;
  }
  return fail(Code::kCorrupt, path + ": neither idx_to_label nor idx_to_category nor id2label");
}

Result<std::unique_ptr<const tokenize::Tokenizer>> read_tokenizer(const std::string& directory,
                                                                  const std::string& base) {
  const bool own = exists(directory + "/tokenizer.json") || exists(directory + "/vocab.txt");
  return tokenize::load_tokenizer(own ? directory : base);
}

// Of the directory itself, else of the base.
Result<std::string> read_classifier_json(const std::string& directory, const std::string& base) {
  for (const std::string& place : {directory, base}) {
    const std::string path = place + "/classifier.json";
    if (exists(path)) return read_file(path, limits::kModelMetadataBytesMax);
  }
  return std::string();
}

}  // namespace

Result<ModelFiles> ModelFiles::open(const std::string& directory, const std::string& base_directory,
                                    const std::string& mapping_path) {
  ModelFiles files;
  std::optional<LoraAdapter> adapter;
  std::string base = directory;
  if (holds_adapter(directory)) {
    SBX_TRY(adapter, LoraAdapter::load(directory));
    SBX_TRY(base, base_of(directory, base_directory, *adapter));
  }
  SBX_TRY(const auto config, read_file(base + "/config.json", limits::kModelMetadataBytesMax));
  SBX_TRY(files.config, HubConfig::parse(config));
  files.head_kind = head_kind_of(files.config, adapter ? &*adapter : nullptr);
  files.labels = files.config.labels;
  files.labels_are_of_base = adapter.has_value();
  if (!mapping_path.empty()) {
    SBX_TRY(files.labels, read_mapping(mapping_path));
    files.labels_are_of_base = false;
  }
  SBX_TRY(files.tokenizer, read_tokenizer(directory, base));
  SBX_TRY(files.classifier_json, read_classifier_json(directory, base));
  SBX_TRY(ModelWeights weights, ModelWeights::open(base));
  if (adapter) SBX_CHECK_OK(weights.merge(std::move(*adapter)));
  files.weights = std::make_shared<const ModelWeights>(std::move(weights));
  return files;
}

}  // namespace signalbox::encoder
