#include "encoder/hub/hub_config.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.h"
#include "base/text.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

std::unexpected<Error> bad(std::string_view key) {
  return fail(Code::kCorrupt, "config.json: missing, or not in the allowed range",
              std::string(key));
}
std::unexpected<Error> unsupported(const std::string& what, std::string_view key) {
  return fail(Code::kUnsupported, "config.json: " + what + " is not supported", std::string(key));
}

// Null counts as absent.
Result<std::optional<json::Value>> get(json::Value object, std::string_view key) {
  auto found = object.find(key);
  if (!found) return fail(Code::kCorrupt, "config.json: " + found.error().message);
  if (*found && (*found)->is_null()) return std::nullopt;
  return *found;
}

Result<std::size_t> size_or(json::Value object, std::string_view key, std::size_t otherwise,
                            std::size_t max) {
  SBX_TRY(const auto found, get(object, key));
  if (!found) return otherwise;
  const auto number = found->integer();
  if (!number || *number < 1 || static_cast<std::uint64_t>(*number) > max) return bad(key);
  return static_cast<std::size_t>(*number);
}

Result<std::size_t> need_size(json::Value object, std::string_view key, std::size_t max) {
  SBX_TRY(const std::size_t size, size_or(object, key, 0, max));
  if (size == 0) return bad(key);
  return size;
}

Result<float> float_or(json::Value object, std::string_view key, double otherwise, double min,
                       double max) {
  SBX_TRY(const auto found, get(object, key));
  if (!found) return static_cast<float>(otherwise);
  const auto number = found->number();
  if (!number || !(*number >= min && *number <= max)) return bad(key);
  return static_cast<float>(*number);
}

Result<std::string> text_or(json::Value object, std::string_view key, std::string_view otherwise) {
  SBX_TRY(const auto found, get(object, key));
  if (!found) return std::string(otherwise);
  if (!found->is_string()) return bad(key);
  return found->string();
}

// A string that, if present, must be one of the two given.
Result<void> expect(json::Value object, std::string_view key, std::string_view one,
                    std::string_view other) {
  SBX_TRY(const auto text, text_or(object, key, one));
  if (text == one || text == other) return {};
  return unsupported(text, key);
}

struct ClassName {
  std::string_view name;
  Architecture architecture;
  HeadKind head_kind;
};
constexpr std::array kClasses{
    ClassName{"BertForSequenceClassification", Architecture::kBert, HeadKind::kSequence},
    ClassName{"BertForTokenClassification", Architecture::kBert, HeadKind::kTokens},
    ClassName{"ModernBertForSequenceClassification", Architecture::kModernBert,
              HeadKind::kSequence},
    ClassName{"ModernBertForTokenClassification", Architecture::kModernBert, HeadKind::kTokens},
    ClassName{"Qwen3ForSequenceClassification", Architecture::kQwen3, HeadKind::kSequence},
    ClassName{"Qwen3ForTokenClassification", Architecture::kQwen3, HeadKind::kTokens},
    ClassName{"Qwen3ForCausalLM", Architecture::kQwen3, HeadKind::kLabelTokens},
};

Result<Architecture> architecture_of(const std::string& model_type) {
  if (model_type == "bert") return Architecture::kBert;
  if (model_type == "modernbert") return Architecture::kModernBert;
  if (model_type == "qwen3") return Architecture::kQwen3;
  return unsupported("a model of type '" + model_type + "' (bert, modernbert and qwen3 are)",
                     "model_type");
}

Result<HeadKind> head_kind_of(json::Value root, Architecture architecture) {
  SBX_TRY(const auto list, get(root, "architectures"));
  if (!list) return HeadKind::kNone;
  for (const json::Value name : list->elements()) {
    const auto* known = std::ranges::find(kClasses, name.string(), &ClassName::name);
    if (known == kClasses.end()) continue;
    if (known->architecture != architecture) return bad("architectures");
    return known->head_kind;
  }
  return HeadKind::kNone;
}

// {"rope_theta": .., "rope_type": .., ..} over what the caller filled in.
Result<void> read_scaling(json::Value scaling, RopeConfig& rope) {
  SBX_TRY(rope.theta, float_or(scaling, "rope_theta", static_cast<double>(rope.theta), 1, 1e12));
  SBX_TRY(const auto old_name, text_or(scaling, "type", "default"));
  SBX_TRY(const auto type, text_or(scaling, "rope_type", old_name));
  if (type == "default") return {};
  if (type != "yarn") return unsupported("rotary scaling '" + type + "'", "rope_scaling");
  for (const std::string_view key : {"mscale", "mscale_all_dim", "truncate"}) {
    SBX_TRY(const auto found, get(scaling, key));
    if (found) return unsupported("this option of YaRN", key);
  }
  SBX_TRY(rope.factor, float_or(scaling, "factor", 1, 1, 1000));
  SBX_TRY(rope.beta_fast, float_or(scaling, "beta_fast", 32, 0.001, 1e6));
  SBX_TRY(rope.beta_slow, float_or(scaling, "beta_slow", 1, 0.001, 1e6));
  SBX_TRY(rope.original_positions, size_or(scaling, "original_max_position_embeddings",
                                           rope.original_positions, limits::kModelPositionsMax));
  SBX_TRY(const auto factor, get(scaling, "attention_factor"));
  if (factor) {
    SBX_TRY(rope.attention_factor, float_or(scaling, "attention_factor", 1, 0.001, 1000));
  }
  return {};
}

// "rope_scaling" of older files, "rope_parameters" of newer ones, the latter also per kind of layer.
Result<void> read_rope(json::Value root, HubConfig& config) {
  config.rope.original_positions = config.local_rope.original_positions = config.positions;
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    SBX_TRY(const auto scaling, get(root, key));
    if (!scaling) continue;
    if (!scaling->is_object()) return bad(key);
    SBX_TRY(const auto full, get(*scaling, "full_attention"));
    SBX_TRY(const auto sliding, get(*scaling, "sliding_attention"));
    SBX_CHECK_OK(read_scaling(full.value_or(*scaling), config.rope));
    SBX_CHECK_OK(read_scaling(sliding.value_or(*scaling), config.local_rope));
  }
  return {};
}

Result<void> read_common(json::Value root, HubConfig& config) {
  SBX_TRY(config.layers, need_size(root, "num_hidden_layers", limits::kModelLayersMax));
  SBX_TRY(config.hidden, need_size(root, "hidden_size", limits::kModelWidthMax));
  SBX_TRY(config.heads, need_size(root, "num_attention_heads", config.hidden));
  SBX_TRY(config.inner, need_size(root, "intermediate_size", limits::kModelInnerMax));
  SBX_TRY(config.positions, need_size(root, "max_position_embeddings", limits::kModelPositionsMax));
  SBX_TRY(config.vocabulary, need_size(root, "vocab_size", limits::kVocabularyPiecesMax));
  config.key_heads = config.heads;
  config.head_width = config.hidden / config.heads;
  config.local.assign(config.layers, false);
  SBX_TRY(const auto problem, text_or(root, "problem_type", ""));
  if (problem == "regression") return unsupported("regression", "problem_type");
  config.multi_label = problem == "multi_label_classification";
  if (config.hidden % config.heads != 0 && config.architecture != Architecture::kQwen3) {
    return fail(Code::kCorrupt,
                "config.json: hidden_size is not a multiple of num_attention_heads");
  }
  return {};
}

Result<void> read_bert(json::Value root, HubConfig& config) {
  SBX_CHECK_OK(expect(root, "hidden_act", "gelu", "gelu_python"));
  SBX_CHECK_OK(expect(root, "position_embedding_type", "absolute", "absolute"));
  SBX_TRY(config.types, size_or(root, "type_vocab_size", 2, limits::kModelWidthMax));
  SBX_TRY(config.epsilon, float_or(root, "layer_norm_eps", 1e-12, 0, 1));
  return {};
}

// "layer_types" of newer files.
Result<bool> read_layer_types(json::Value root, HubConfig& config) {
  SBX_TRY(const auto types, get(root, "layer_types"));
  if (!types) return false;
  const auto names = types->elements();
  if (names.size() != config.layers) return bad("layer_types");
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = names[i].string();
    if (name != "full_attention" && name != "sliding_attention")
      return unsupported("attention of type '" + name + "'", "layer_types");
    config.local[i] = name == "sliding_attention";
  }
  return true;
}

Result<void> read_modern_bert(json::Value root, HubConfig& config) {
  SBX_CHECK_OK(expect(root, "hidden_activation", "gelu", "gelu"));
  SBX_CHECK_OK(expect(root, "classifier_activation", "gelu", "gelu"));
  SBX_TRY(config.epsilon, float_or(root, "norm_eps", 1e-5, 0, 1));
  SBX_TRY(const std::size_t every,
          size_or(root, "global_attn_every_n_layers", 3, limits::kModelLayersMax));
  SBX_TRY(const bool listed, read_layer_types(root, config));
  for (std::size_t i = 0; i < config.layers && !listed; ++i) config.local[i] = i % every != 0;
  SBX_TRY(const std::size_t both_sides,
          size_or(root, "local_attention", 128, limits::kModelPositionsMax));
  config.window = both_sides / 2;
  SBX_TRY(config.rope.theta, float_or(root, "global_rope_theta", 160000, 1, 1e12));
  SBX_TRY(config.local_rope.theta,
          float_or(root, "local_rope_theta", static_cast<double>(config.rope.theta), 1, 1e12));
  SBX_CHECK_OK(read_rope(root, config));
  SBX_TRY(const auto pooling, text_or(root, "classifier_pooling", "cls"));
  if (pooling != "cls" && pooling != "mean") return bad("classifier_pooling");
  config.mean_pooling = pooling == "mean";
  return {};
}

Result<void> read_qwen3(json::Value root, HubConfig& config) {
  SBX_CHECK_OK(expect(root, "hidden_act", "silu", "silu"));
  SBX_TRY(config.epsilon, float_or(root, "rms_norm_eps", 1e-6, 0, 1));
  SBX_TRY(config.key_heads, size_or(root, "num_key_value_heads", config.heads, config.heads));
  SBX_TRY(config.head_width, size_or(root, "head_dim", 128, limits::kModelWidthMax));
  if (config.heads % config.key_heads != 0) return bad("num_key_value_heads");
  if (config.heads * config.head_width > 4 * limits::kModelWidthMax) return bad("head_dim");
  SBX_TRY(config.rope.theta, float_or(root, "rope_theta", 10000, 1, 1e12));
  config.local_rope.theta = config.rope.theta;
  SBX_CHECK_OK(read_rope(root, config));
  SBX_TRY(const auto sliding, get(root, "use_sliding_window"));
  if (sliding && sliding->boolean().value_or(false)) {
    SBX_TRY(const bool listed, read_layer_types(root, config));
    if (!listed) return unsupported("a sliding window without layer_types", "use_sliding_window");
    SBX_TRY(const std::size_t width, need_size(root, "sliding_window", limits::kModelPositionsMax));
    config.window = width - 1;
  }
  SBX_TRY(const auto end, get(root, "eos_token_id"));
  const auto id = end ? end->integer() : std::nullopt;
  if (id && *id >= 0 && static_cast<std::uint64_t>(*id) < config.vocabulary)
    config.filler = static_cast<std::int32_t>(*id);
  return {};
}

}  // namespace

Result<std::vector<std::string>> parse_labels(std::string_view json, std::string_view key) {
  const auto document = json::Document::parse(json);
  if (!document) return fail(Code::kCorrupt, document.error().message);
  SBX_TRY(const auto found, get(document->root(), key));
  if (!found) return std::vector<std::string>{};
  if (!found->is_object() || found->size() > limits::kClassifierLabelsMax)
    return fail(Code::kCorrupt, "not an object of labels, or too many", std::string(key));
  std::vector<std::string> labels(found->size());
  std::vector<bool> seen(labels.size(), false);
  for (const auto& entry : found->member_range()) {
    const auto id = parse_uint(entry.key.string());
    if (!id || *id >= labels.size() || seen[*id] || !entry.value.is_string())
      return fail(Code::kCorrupt, "the ids of the labels are not 0 to n-1", std::string(key));
    seen[*id] = true;
    labels[*id] = entry.value.string();
  }
  return labels;
}

Result<HubConfig> HubConfig::parse(std::string_view config_json) {
  const auto document = json::Document::parse(config_json);
  if (!document) return fail(Code::kCorrupt, "config.json: " + document.error().message);
  const json::Value root = document->root();
  if (!root.is_object()) return fail(Code::kCorrupt, "config.json is not an object");
  HubConfig config;
  SBX_TRY(const auto model_type, text_or(root, "model_type", ""));
  SBX_TRY(config.architecture, architecture_of(model_type));
  SBX_TRY(config.head_kind, head_kind_of(root, config.architecture));
  SBX_CHECK_OK(read_common(root, config));
  switch (config.architecture) {
    case Architecture::kBert:
      SBX_CHECK_OK(read_bert(root, config));
      break;
    case Architecture::kModernBert:
      SBX_CHECK_OK(read_modern_bert(root, config));
      break;
    case Architecture::kQwen3:
      SBX_CHECK_OK(read_qwen3(root, config));
      break;
  }
  if (config.architecture != Architecture::kBert && config.head_width % 2 != 0)
    return fail(Code::kCorrupt, "config.json: rotary positions need heads of even width");
  SBX_TRY(config.labels, parse_labels(config_json, "id2label"));
  return config;
}

}  // namespace signalbox::encoder
