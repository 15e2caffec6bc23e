#include <algorithm>
#include <string_view>

#include "base/limits.h"
#include "encoder/bert.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

Result<std::size_t> size_of(json::Value root, std::string_view key, std::size_t max) {
  SBX_TRY(const auto found, root.find(key));
  const auto number = found ? found->integer() : std::nullopt;
  if (!number || *number < 1 || static_cast<std::uint64_t>(*number) > max) {
    return fail(Code::kCorrupt, "config.json: missing, or not between 1 and " + std::to_string(max),
                std::string(key));
  }
  return static_cast<std::size_t>(*number);
}

// A string that, if present, must be one of the two given.
Result<void> expect(json::Value root, std::string_view key, std::string_view one,
                    std::string_view other) {
  SBX_TRY(const auto found, root.find(key));
  if (!found || found->string() == one || found->string() == other) return {};
  return fail(Code::kUnsupported,
              "config.json: only BERT with erf GELU and absolute positions is supported",
              std::string(key));
}

}  // namespace

Result<BertConfig> BertConfig::parse(std::string_view config_json) {
  const auto document = json::Document::parse(config_json);
  if (!document) return fail(Code::kCorrupt, "config.json: " + document.error().message);
  const json::Value root = document->root();
  if (!root.is_object()) return fail(Code::kCorrupt, "config.json is not an object");
  SBX_CHECK_OK(expect(root, "model_type", "bert", "bert"));
  SBX_CHECK_OK(expect(root, "hidden_act", "gelu", "gelu_python"));
  SBX_CHECK_OK(expect(root, "position_embedding_type", "absolute", "absolute"));
  BertConfig config;
  SBX_TRY(config.layers, size_of(root, "num_hidden_layers", limits::kModelLayersMax));
  SBX_TRY(config.hidden, size_of(root, "hidden_size", limits::kModelWidthMax));
  SBX_TRY(config.heads, size_of(root, "num_attention_heads", config.hidden));
  SBX_TRY(config.inner, size_of(root, "intermediate_size", limits::kModelWidthMax));
  SBX_TRY(config.positions, size_of(root, "max_position_embeddings", limits::kModelWidthMax));
  SBX_TRY(config.vocabulary, size_of(root, "vocab_size", limits::kVocabularyPiecesMax));
  SBX_TRY(config.types, size_of(root, "type_vocab_size", limits::kModelWidthMax));
  SBX_TRY(const auto epsilon, root.find("layer_norm_eps"));
  if (epsilon)
    config.epsilon = static_cast<float>(std::clamp(epsilon->number().value_or(1e-12), 0.0, 1.0));
  if (config.hidden % config.heads != 0) {
    return fail(Code::kCorrupt,
                "config.json: hidden_size is not a multiple of num_attention_heads");
  }
  return config;
}

}  // namespace signalbox::encoder
