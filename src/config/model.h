// The one internal form of configuration: what the three published generations and our own `signalbox:` block are
// converted to. Plain data, immutable once published in a Snapshot; names follow the canonical v0.3 keys, units last.
// Defaults written here are the defaults of the product (the field tables read them from a default-constructed object).
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/secret.h"
#include "config/own.h"

namespace signalbox::config {

using std::chrono::milliseconds;

// Which of the published shapes a file had; "signalbox" alone means only our own block.
enum class Generation { kCanonicalV03, kFlatDecisions, kPerCategory };

// ---------------------------------------------------------------------------------------------------- providers

enum class ReasoningType { kChatTemplateKwargs, kReasoningEffort, kTopLevelReasoningEffort };

// How a family of models is told to reason or not; `parameter` is the field inside chat_template_kwargs.
struct ReasoningFamily {
  ReasoningType type = ReasoningType::kChatTemplateKwargs;
  std::string parameter;
  bool operator==(const ReasoningFamily&) const = default;
};

// One place where a model is served.
struct BackendRef {
  std::string name;
  std::string scheme = "http";  // http | https
  std::string host;             // name or IP literal, IPv6 without brackets
  std::uint16_t port = 80;
  std::string base_path;  // prefix before /v1/..., from base_url; no trailing slash
  int weight = 1;         // >= 0; 0 takes no traffic
  std::string
      provider;  // "", openai, anthropic, azure-openai, ...: decides dialect and auth header
  std::string auth_header;  // default Authorization
  std::string auth_prefix;  // default "Bearer"
  std::vector<std::pair<std::string, std::string>> extra_headers;
  std::string api_version;
  std::string chat_path;  // overrides /v1/chat/completions
  Secret api_key;         // from api_key or the variable named by api_key_env
  std::string api_key_env;
  std::string label;  // role or group of the engine, for policies that tell engines apart
  // How its health is asked: empty: health.path; else a small real request of that kind: chat, completion, embeddings,
  // rerank, score, transcription, vision, messages.
  std::string health_request;
  Secret probe_key;                    // for our own questions; api_key goes first
  bool draining = false;               // finishes what it has, gets nothing new
  bool api_key_in_plain_text = false;  // written out in the file, not as ${VAR} or api_key_env

  // Stable identity of the endpoint across reloads: scheme://host:port/base_path.
  std::string url() const;
  bool operator==(const BackendRef&) const = default;
};

struct Pricing {
  std::string currency = "USD";
  double prompt_per_1m = 0;
  double completion_per_1m = 0;
  double cached_input_per_1m = 0;
  double cache_write_per_1m = 0;
  bool operator==(const Pricing&) const = default;
};

// providers.models[].reliability
struct Reliability {
  std::string lb_policy;  // round_robin | least_request; empty: signalbox.balancer.policy decides
  std::optional<int> retry_count;  // 0..5
  std::string retry_on;
  std::optional<int> consecutive_5xx;
  std::optional<milliseconds> base_ejection_time;
  std::optional<int> max_ejection_percent;
  std::string health_check_path;
  std::optional<milliseconds> health_check_interval;
  std::optional<milliseconds> health_check_timeout;
  bool operator==(const Reliability&) const = default;
};

struct Lora {
  std::string name;
  std::string description;
  bool operator==(const Lora&) const = default;
};

// A model as clients and decisions name it: providers.models[] joined with routing.modelCards[] of the same name.
struct Model {
  std::string name;
  std::string reasoning_family;
  std::string provider_model_id;      // name sent upstream; empty: `name`
  std::string api_format = "openai";  // openai | anthropic
  std::map<std::string, std::string> external_model_ids;
  std::vector<BackendRef> backends;
  Pricing pricing;
  Reliability reliability;
  // Model card.
  std::string param_size;
  std::int64_t context_window_tokens = 0;  // 0: unknown
  std::string description;
  std::vector<std::string> capabilities;
  std::vector<std::string> tags;
  std::vector<Lora> loras;
  double quality_score = 0;
  std::string modality;
  bool has_provider = false;  // named under providers.models (or a flat generation's model_config)
  int line = 0;               // of the file; 0: not from one
  bool operator==(const Model&) const = default;
};

struct Providers {
  std::string default_model;
  std::string default_reasoning_effort;  // low | medium | high; empty: medium
  std::map<std::string, ReasoningFamily> reasoning_families;
  std::vector<Model> models;
  std::vector<BackendRef> engines;             // asked which models they serve
  std::map<std::string, std::string> aliases;  // other names of models, for clients
  bool operator==(const Providers&) const = default;
};

// ---------------------------------------------------------------------------------------------------- signals

struct NumericPredicate {
  std::optional<double> gt, gte, lt, lte;
  bool holds(double value) const {
    return (!gt || value > *gt) && (!gte || value >= *gte) && (!lt || value < *lt) &&
           (!lte || value <= *lte);
  }
  bool operator==(const NumericPredicate&) const = default;
};

enum class KeywordOperator { kAnd, kOr, kNor };
enum class KeywordMethod { kRegex, kBm25, kNgram, kFuzzy };

struct KeywordRule {
  std::string name;
  KeywordOperator op = KeywordOperator::kOr;
  std::vector<std::string> keywords;
  bool case_sensitive = false;
  // kRegex with plain words is whole-word search; a keyword written as /pattern/ is a regular expression (RE2 syntax).
  KeywordMethod method = KeywordMethod::kRegex;
  bool fuzzy_match = false;
  int fuzzy_threshold = 2;
  double bm25_threshold = 0.1;
  double ngram_threshold = 0.4;
  int ngram_arity = 3;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const KeywordRule&) const = default;
};

enum class Aggregation { kMean, kMax, kAny };

struct EmbeddingRule {
  std::string name;
  double threshold = 0.7;  // cosine, -1..1
  std::vector<std::string> candidates;
  Aggregation aggregation = Aggregation::kMax;
  std::string query_modality = "text";
  int line = 0;  // of the file; 0: not from one
  bool operator==(const EmbeddingRule&) const = default;
};

struct ModelScore {
  std::string model;
  double score = 0;
  bool use_reasoning = false;
  bool operator==(const ModelScore&) const = default;
};

struct DomainRule {
  std::string name;
  std::string description;
  std::vector<std::string>
      mmlu_categories;  // classifier labels; empty: the rule's own name is the label
  std::vector<ModelScore> model_scores;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const DomainRule&) const = default;
};

struct LanguageRule {
  std::string name;  // ISO 639-1 code
  std::string description;
  double threshold = 0.3;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const LanguageRule&) const = default;
};

// A rule of a signal that a trained text head answers: jailbreak, complexity, fact_check,
// user_feedback. Which label it means follows from the kind and the name.
struct HeadRule {
  std::string name;
  std::string description;
  double threshold = 0;  // least score or confidence; 0: the head's own
  // Of jailbreak: who judges.
  enum class Method { kClassifier, kContrastive, kHybrid } method = Method::kClassifier;
  bool include_history =
      false;  // of jailbreak: earlier messages too, not only the last of the user
  // Texts to compare with: of jailbreak attacks and innocent ones, of complexity hard and easy ones.
  std::vector<std::string> positive_examples, negative_examples;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const HeadRule&) const = default;
};

// Matches when the prompt holds personal data of a type that is not allowed.
struct PiiRule {
  std::string name;
  std::string description;
  double threshold = 0;                    // least confidence; 0: the classifier's own, by type
  std::vector<std::string> types_allowed;  // as pii::type_name() has them
  bool include_history = false;            // earlier messages too, not only the last of the user
  int line = 0;                            // of the file; 0: not from one
  bool operator==(const PiiRule&) const = default;
};

struct ContextRule {
  std::string name;
  std::int64_t min_tokens = 0;
  std::int64_t max_tokens = std::numeric_limits<std::int64_t>::max();
  std::string description;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const ContextRule&) const = default;
};

struct StructureRule {
  std::string name;
  std::string description;
  std::string feature_type;  // count | exists | sequence | density
  std::string source_type;   // regex | keyword_set | sequence | text_bytes
  std::string pattern;
  std::vector<std::string> keywords;
  bool case_sensitive = false;
  std::vector<std::vector<std::string>> sequences;
  NumericPredicate predicate;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const StructureRule&) const = default;
};

struct ConversationRule {
  std::string name;
  std::string description;
  std::string feature_type;  // count | exists
  std::string source_type;   // message | tool_definition | active_tool_loop | image_content
  std::string role;
  NumericPredicate predicate;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const ConversationRule&) const = default;
};

struct MetadataRule {
  std::string name;
  std::string description;
  std::string key;
  std::optional<std::string> equals;
  std::vector<std::string> in;
  std::optional<bool> exists;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const MetadataRule&) const = default;
};

struct Subject {
  std::string kind;  // User | Group
  std::string name;
  bool operator==(const Subject&) const = default;
};

struct RoleBinding {
  std::string name;
  std::string description;
  std::vector<Subject> subjects;
  std::string role;
  int line = 0;  // of the file; 0: not from one
  bool operator==(const RoleBinding&) const = default;
};

// A signal kind that is known to the parser but not evaluated yet: kept so that rules naming it resolve.
struct UnsupportedSignal {
  std::string kind;  // leaf type: fact_check, jailbreak, pii, ...
  std::string name;
  bool operator==(const UnsupportedSignal&) const = default;
};

struct Signals {
  std::vector<KeywordRule> keywords;
  std::vector<EmbeddingRule> embeddings;
  std::vector<DomainRule> domains;
  std::vector<LanguageRule> languages;
  std::vector<ContextRule> contexts;
  std::vector<StructureRule> structures;
  std::vector<ConversationRule> conversations;
  std::vector<MetadataRule> metadata;
  std::vector<RoleBinding> role_bindings;
  std::vector<HeadRule> jailbreaks;
  std::vector<PiiRule> pii;
  std::vector<HeadRule> complexities;
  std::vector<HeadRule> fact_checks;
  std::vector<HeadRule> user_feedbacks;
  std::vector<UnsupportedSignal> unsupported;
  bool operator==(const Signals&) const = default;
};

// ---------------------------------------------------------------------------------------------------- decisions

enum class RuleOperator { kLeaf, kAnd, kOr, kNot };
enum class OnError { kNoMatch, kMatch };

// A rule tree. A kLeaf node names a signal by (type, name); others hold children. An empty kAnd is the catch-all.
struct RuleNode {
  RuleOperator op = RuleOperator::kAnd;
  std::vector<RuleNode> children;
  std::string type;  // leaf type: keyword, domain, embedding, language, context, structure, ...
  std::string name;
  std::string label;
  NumericPredicate predicate;
  OnError on_error = OnError::kNoMatch;
  int line = 0;
  bool operator==(const RuleNode&) const = default;
};

struct ModelRef {
  std::string model;
  std::string lora_name;  // wins over the model's name upstream
  double weight = 1;
  std::optional<bool> use_reasoning;
  std::string reasoning_description;
  std::string reasoning_effort;  // low | medium | high; empty: providers.defaults
  int line = 0;                  // of the file; 0: not from one
  bool operator==(const ModelRef&) const = default;
};

enum class PromptMode { kReplace, kInsert, kAppend };

struct SystemPromptPlugin {
  bool enabled = true;
  std::string system_prompt;
  PromptMode mode = PromptMode::kReplace;
  bool operator==(const SystemPromptPlugin&) const = default;
};

struct HeaderMutationPlugin {
  std::vector<std::pair<std::string, std::string>> add;
  std::vector<std::pair<std::string, std::string>> update;
  std::vector<std::string> remove;
  bool operator==(const HeaderMutationPlugin&) const = default;
};

struct RequestParamsPlugin {
  std::vector<std::string> blocked_params;
  std::optional<std::int64_t> max_tokens_limit;
  std::optional<std::int64_t> max_n;
  bool strip_unknown = false;
  bool operator==(const RequestParamsPlugin&) const = default;
};

struct FastResponsePlugin {
  std::string message;
  bool operator==(const FastResponsePlugin&) const = default;
};

// Known to the loader and to `check`; executed by a later release.
struct ResponseCachePlugin {
  bool enabled = true;
  double similarity_threshold = 0.8;
  std::string scope = "user";
  bool operator==(const ResponseCachePlugin&) const = default;
};

struct PiiPlugin {
  bool enabled = true;
  std::vector<std::string> types_allowed;
  bool operator==(const PiiPlugin&) const = default;
};

struct Plugins {
  std::optional<SystemPromptPlugin> system_prompt;
  std::optional<HeaderMutationPlugin> header_mutation;
  std::optional<RequestParamsPlugin> request_params;
  std::optional<FastResponsePlugin> fast_response;
  std::optional<ResponseCachePlugin> response_cache;
  std::optional<PiiPlugin> pii;
  std::vector<std::string> unsupported;  // plugin types of later releases
  bool operator==(const Plugins&) const = default;
};

struct Decision {
  std::string name;
  std::string description;
  int priority = 0;
  int tier = 0;
  RuleNode rules;
  std::vector<ModelRef> model_refs;
  std::string algorithm = "static";
  Plugins plugins;
  int line = 0;
  bool operator==(const Decision&) const = default;
};

enum class Strategy { kPriority, kConfidence };

// A whole routing program: the file's own, or a recipe's.
struct Routing {
  Signals signals;
  std::vector<Decision> decisions;
  Strategy strategy = Strategy::kPriority;
  bool operator==(const Routing&) const = default;
};

struct Recipe {
  std::string name;
  std::string description;
  Routing routing;
  bool operator==(const Recipe&) const = default;
};

struct Entrypoint {
  std::vector<std::string> model_names;
  std::string recipe;
  bool operator==(const Entrypoint&) const = default;
};

// ---------------------------------------------------------------------------------------------------- all of it

// global.model_catalog.modules.*: a classifier of the user's own in the place of a shipped one.
struct HubModel {
  std::string model_id;      // a directory in model hub format; anything else has no effect
  std::string mapping_path;  // names of its labels, beside what its config.json says
  std::vector<std::string> positive_labels;  // of prompt_guard: labels that are findings
  double threshold = 0;                      // least score of a finding; 0: 0.5
  int line = 0;                              // of model_id in the file
  bool operator==(const HubModel&) const = default;
};
struct HubModels {
  HubModel domain, prompt_guard, pii, fact_check, feedback;
  bool operator==(const HubModels&) const = default;
};

struct Config {
  Generation generation = Generation::kCanonicalV03;
  Providers providers;
  Routing routing;
  std::vector<Recipe> recipes;
  std::vector<Entrypoint> entrypoints;
  std::vector<Listener> listeners;
  std::vector<std::string> auto_model_names = {"vllm-sr/auto", "auto", "MoM"};
  bool include_config_models_in_list = false;
  bool clear_route_cache = true;
  bool skip_processing = false;
  double domain_threshold =
      0;  // modules.classifier.domain.threshold: below it the domain signal is no match
  std::string domain_fallback_category;
  HubModels hub_models;
  Tracing tracing;
  Own own;

  // The provider entry of that name, or nullptr.
  const Model* find_model(std::string_view name) const;
  bool operator==(const Config&) const = default;
};

}  // namespace signalbox::config
