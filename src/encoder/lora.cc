#include "encoder/lora.h"

#include <cmath>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

std::unexpected<Error> bad(std::string_view key) {
  return fail(Code::kCorrupt, "adapter_config.json: missing, or not in the allowed range",
              std::string(key));
}

Result<std::optional<json::Value>> get(json::Value object, std::string_view key) {
  auto found = object.find(key);
  if (!found) return fail(Code::kCorrupt, "adapter_config.json: " + found.error().message);
  if (*found && (*found)->is_null()) return std::nullopt;
  return *found;
}

// Options that change the arithmetic; each must be absent, false or empty.
Result<void> refuse(json::Value root, std::string_view key) {
  SBX_TRY(const auto found, get(root, key));
  if (!found || found->boolean() == false) return {};
  if ((found->is_object() || found->is_array()) && found->size() == 0) return {};
  return fail(Code::kUnsupported, "adapter_config.json: this option of LoRA is not supported",
              std::string(key));
}

bool remove_suffix(std::string& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

void remove_part(std::string& text, std::string_view part) {
  if (const std::size_t at = text.find(part); at != std::string::npos) text.erase(at, part.size());
}

}  // namespace

std::string plain_tensor_name(std::string_view name) {
  for (const std::string_view prefix : {"bert.", "model."}) {
    if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
  }
  return std::string(name);
}

Result<LoraAdapter> LoraAdapter::load(const std::string& directory) {
  SBX_TRY(const auto config,
          read_file(directory + "/adapter_config.json", limits::kModelMetadataBytesMax));
  const std::string path = directory + "/adapter_model.safetensors";
  auto file = MappedFile::open(path, limits::kModelFileBytesMax);
  if (!file) {
    return fail(file.error().code,
                file.error().message + "; adapters are read from adapter_model.safetensors only");
  }
  SBX_TRY(LoraAdapter adapter, parse(config, file->bytes()));
  adapter.file_ = std::move(*file);
  return adapter;
}

Result<LoraAdapter> LoraAdapter::parse(std::string_view config_json,
                                       std::span<const std::byte> tensors) {
  LoraAdapter adapter;
  SBX_CHECK_OK(adapter.read_config(config_json));
  SBX_TRY(adapter.tensors_, Safetensors::parse(tensors));
  SBX_CHECK_OK(adapter.read_tensors());
  return adapter;
}

Result<void> LoraAdapter::read_config(std::string_view config_json) {
  const auto document = json::Document::parse(config_json);
  if (!document) return fail(Code::kCorrupt, "adapter_config.json: " + document.error().message);
  const json::Value root = document->root();
  SBX_TRY(const auto type, get(root, "peft_type"));
  if (!type || !type->is_string()) return bad("peft_type");
  if (type->string() != "LORA") {
    return fail(Code::kUnsupported,
                "adapter_config.json: adapters of type " + type->string() + " are not supported",
                "peft_type");
  }
  for (const std::string_view key : {"use_dora", "fan_in_fan_out", "lora_bias", "rank_pattern",
                                     "alpha_pattern", "megatron_config", "trainable_token_indices"})
    SBX_CHECK_OK(refuse(root, key));
  SBX_TRY(const auto rank, get(root, "r"));
  const auto rank_number = rank ? rank->integer() : std::nullopt;
  if (!rank_number || *rank_number < 1 ||
      static_cast<std::uint64_t>(*rank_number) > limits::kLoraRankMax)
    return bad("r");
  rank_ = static_cast<std::uint64_t>(*rank_number);
  SBX_TRY(const auto alpha, get(root, "lora_alpha"));
  const auto alpha_number = alpha ? alpha->number() : std::nullopt;
  if (!alpha_number || !(std::abs(*alpha_number) <= 1e6)) return bad("lora_alpha");
  SBX_TRY(const auto stabilised, get(root, "use_rslora"));
  const double rank_value = static_cast<double>(rank_);
  const bool root_of_rank = stabilised && stabilised->boolean().value_or(false);
  scale_ = static_cast<float>(*alpha_number / (root_of_rank ? std::sqrt(rank_value) : rank_value));
  SBX_TRY(const auto task, get(root, "task_type"));
  if (task) task_type_ = task->string();
  SBX_TRY(const auto base, get(root, "base_model_name_or_path"));
  if (base) base_model_ = base->string();
  return {};
}

Result<void> LoraAdapter::read_tensors() {
  for (const auto& [written, tensor] : tensors_.tensors()) {
    std::string name = written;
    remove_part(name, "base_model.model.");
    for (const std::string_view part : {".modules_to_save", ".base_layer", ".default"})
      remove_part(name, part);
    name = plain_tensor_name(name);
    if (remove_suffix(name, ".lora_A.weight")) {
      if (tensor.shape.size() != 2 || tensor.shape[0] != rank_)
        return fail(Code::kCorrupt, "tensor " + written + " does not have the rank of the adapter");
      updates_[name].a = &tensor;
    } else if (remove_suffix(name, ".lora_B.weight")) {
      if (tensor.shape.size() != 2 || tensor.shape[1] != rank_)
        return fail(Code::kCorrupt, "tensor " + written + " does not have the rank of the adapter");
      updates_[name].b = &tensor;
    } else if (name.find(".lora_") != std::string::npos) {
      return fail(Code::kUnsupported, "tensor " + written + " of the adapter is not supported");
    } else if (name.find(".original_module") == std::string::npos) {
      replaced_[name] = &tensor;
    }
  }
  for (auto& [name, update] : updates_) {
    update.scale = scale_;
    if (update.a == nullptr || update.b == nullptr)
      return fail(Code::kCorrupt, "the adapter has only one half of the update of " + name);
  }
  return {};
}

}  // namespace signalbox::encoder
