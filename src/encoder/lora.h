// A PEFT adapter folder: low-rank updates of linear layers (Hu et al. 2021) and modules that were trained
// whole, to be merged into a base model while it is loaded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "encoder/mapped_file.h"
#include "encoder/safetensors.h"

namespace signalbox::encoder {

// Name of a tensor without the name of the class around it: "bert.encoder.layer.0.." and
// "model.layers.0.." lose their first part.
std::string plain_tensor_name(std::string_view name);

// W becomes W + scale * B A.
struct LoraUpdate {
  const Tensor* a = nullptr;  // [rank, in]
  const Tensor* b = nullptr;  // [out, rank]
  float scale = 1;
};

class LoraAdapter {
 public:
  // Reads adapter_config.json and adapter_model.safetensors. Errors: kIo (missing), kCorrupt,
  // kUnsupported (another kind of adapter; the message names it).
  static Result<LoraAdapter> load(const std::string& directory);
  // From the content of the two files; borrows the second. Errors: kCorrupt, kUnsupported.
  static Result<LoraAdapter> parse(std::string_view config_json,
                                   std::span<const std::byte> tensors);

  // By plain name: updates of a module ("layers.0.attn.Wqkv"), tensors that replace the base's
  // ("classifier.weight").
  const std::map<std::string, LoraUpdate>& updates() const { return updates_; }
  const std::map<std::string, const Tensor*>& replaced() const { return replaced_; }
  // "SEQ_CLS", "TOKEN_CLS", "CAUSAL_LM", or empty.
  const std::string& task_type() const { return task_type_; }
  // As the file says: a path or the name of a model in a hub; may be empty.
  const std::string& base_model() const { return base_model_; }

 private:
  Result<void> read_config(std::string_view config_json);
  Result<void> read_tensors();

  MappedFile file_;
  Safetensors tensors_;
  std::map<std::string, LoraUpdate> updates_;
  std::map<std::string, const Tensor*> replaced_;
  std::string task_type_, base_model_;
  float scale_ = 1;
  std::uint64_t rank_ = 0;
};

}  // namespace signalbox::encoder
