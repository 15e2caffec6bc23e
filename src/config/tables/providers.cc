// Rows of `providers` and `routing.modelCards`.
#include "config/tables/bind.h"
#include "config/tables/endpoint.h"
#include "config/tables/tables.h"

namespace signalbox::config {

template <>
struct EnumWords<ReasoningType> {
  static constexpr std::pair<std::string_view, ReasoningType> kWords[] = {
      {"chat_template_kwargs", ReasoningType::kChatTemplateKwargs},
      {"reasoning_effort", ReasoningType::kReasoningEffort},
      {"top_level_reasoning_effort", ReasoningType::kTopLevelReasoningEffort}};
};

namespace {

const Schema& reasoning_family_schema() {
  static const Schema schema{
      .name = "providers.defaults.reasoning_families.*",
      .fields = {row<&ReasoningFamily::type>("type", "Where the switch goes in the request."),
                 row<&ReasoningFamily::parameter>("parameter", "Name of the field that is set.")}};
  return schema;
}

const Schema& defaults_schema() {
  static const Schema schema{
      .name = "providers.defaults",
      .fields = {row<&Providers::default_model>(
                     "default_model",
                     "Model or adapter used when no decision matches and the name is automatic."),
                 map<&Providers::reasoning_families>(
                     "reasoning_families", reasoning_family_schema,
                     "How each family of models is told to reason or not."),
                 row<&Providers::default_reasoning_effort>(
                     "default_reasoning_effort",
                     "Effort when reasoning is on and nothing else says how much.")
                     .one_of({"low", "medium", "high"})}};
  return schema;
}

const Schema& pricing_schema() {
  static const Schema schema{
      .name = "providers.models[].pricing",
      .fields = {
          row<&Pricing::currency>("currency", "Currency of the prices."),
          row<&Pricing::prompt_per_1m>("prompt_per_1m", "Price of a million prompt tokens.")
              .range(0, 1e9),
          row<&Pricing::completion_per_1m>("completion_per_1m",
                                           "Price of a million completion tokens.")
              .range(0, 1e9),
          row<&Pricing::cached_input_per_1m>("cached_input_per_1m",
                                             "Price of a million cached prompt tokens.")
              .range(0, 1e9),
          row<&Pricing::cache_write_per_1m>(
              "cache_write_per_1m", "Price of writing a million tokens to the provider's cache.")
              .range(0, 1e9)}};
  return schema;
}

const Schema& reliability_schema() {
  using R = Reliability;
  static const Schema schema{
      .name = "providers.models[].reliability",
      .fields = {
          row<&R::lb_policy>("lb_policy", "Balancing between the backends of this model.")
              .one_of({"round_robin", "least_request"}),
          row<&R::retry_count>("retry_count", "Further attempts after the first.").range(0, 5),
          row<&R::retry_on>("retry_on",
                            "Conditions to retry on, comma separated, in Envoy's words."),
          row<&R::consecutive_5xx>("consecutive_5xx", "Failures in a row that eject a backend.")
              .range(1, 1000),
          row<&R::base_ejection_time>("base_ejection_time", "Length of the first ejection.")
              .range(0, 86400),
          row<&R::max_ejection_percent>("max_ejection_percent",
                                        "Share of backends that may be ejected at once.")
              .range(0, 100),
          row<&R::health_check_path>("health_check_path", "Path asked by the active health check."),
          row<&R::health_check_interval>("health_check_interval", "Time between two checks.")
              .range(0.01, 86400),
          row<&R::health_check_timeout>("health_check_timeout", "Time a check may take.")
              .range(0.01, 86400)}};
  return schema;
}

const Schema& backend_schema() {
  using B = BackendRef;
  static const Schema schema{
      .name = "providers.models[].backend_refs[]",
      .fields = {row<&B::name>("name", "Name in logs and metrics."),
                 custom<B>("endpoint", Type::kString, "host:port of the engine; IPv6 in brackets.",
                           read_endpoint),
                 custom<B>("base_url", Type::kString,
                           "URL with scheme and path instead of endpoint.", read_base_url),
                 row<&B::scheme>("protocol", "http or https.").one_of({"http", "https"}),
                 row<&B::weight>("weight",
                                 "Share of the traffic against the other backends; 0 takes none.")
                     .range(0, 1'000'000),
                 known_scalar("type", Type::kString, "Kind of engine; for the reader only."),
                 row<&B::label>("label", "Role or group of the engine, such as prefill."),
                 row<&B::health_request>(
                     "health_request",
                     "Ask its health by a small real request of this kind instead of health.path.")
                     .one_of({"chat", "completion", "embeddings", "rerank", "score",
                              "transcription", "vision", "messages"}),
                 row<&B::draining>("draining", "Finishes what it has and gets nothing new."),
                 row<&B::provider>("provider",
                                   "Decides the dialect and the default of auth_header.")
                     .one_of({"openai", "anthropic", "azure-openai", "bedrock", "gemini",
                              "vertex-ai", "minimax", "vllm"}),
                 row<&B::auth_header>("auth_header",
                                      "Header that carries the key; default by provider."),
                 row<&B::auth_prefix>("auth_prefix", "Word before the key; default by provider."),
                 row<&B::extra_headers>("extra_headers",
                                        "Headers added to every request to this backend."),
                 row<&B::api_version>("api_version",
                                      "Version of the provider's API, where it asks for one."),
                 row<&B::chat_path>("chat_path", "Path of chat completions, relative to base_url."),
                 row<&B::api_key>("api_key",
                                  "Key for the backend; better given as ${VAR} or by api_key_env."),
                 row<&B::api_key_env>("api_key_env",
                                      "Name of the environment variable that holds the key.")},
      .after = finish_backend};
  return schema;
}

const Schema& provider_model_schema() {
  static const Schema schema{
      .name = "providers.models[]",
      .fields =
          {row<&Model::name>("name", "Name of the model for clients and decisions.").required(),
           row<&Model::reasoning_family>("reasoning_family",
                                         "A key of providers.defaults.reasoning_families."),
           row<&Model::provider_model_id>("provider_model_id",
                                          "Name sent upstream; default is the name."),
           row<&Model::api_format>("api_format", "Dialect of the backend.")
               .one_of({"openai", "anthropic"}),
           row<&Model::external_model_ids>("external_model_ids",
                                           "Names of the model by kind of backend."),
           list<&Model::backends>("backend_refs", backend_schema, "Where the model is served."),
           child<&Model::pricing>("pricing", pricing_schema,
                                  "Prices, for reports and cost-aware choices."),
           child<&Model::reliability>("reliability", reliability_schema,
                                      "Retries, ejection and health of this model.")},
      .after = [](Reader&, const Node&, void* object) {
        static_cast<Model*>(object)->has_provider = true;
      }};
  return schema;
}

}  // namespace

const Schema& lora_schema() {
  static const Schema schema{
      .name = "routing.modelCards[].loras[]",
      .fields = {row<&Lora::name>("name", "Name under which the engine serves it.").required(),
                 row<&Lora::description>("description", "What it is good at.")}};
  return schema;
}

const Schema& model_card_schema() {
  static const Schema schema{
      .name = "routing.modelCards[]",
      .fields = {
          row<&Model::name>("name", "Name of the model, as in providers.models.").required(),
          row<&Model::param_size>("param_size", "Number of parameters, as text (8B)."),
          row<&Model::context_window_tokens>("context_window_size",
                                             "Longest context; 0 is unknown.")
              .as(Type::kTokens)
              .range(0, 1e9)
              .in("tokens"),
          row<&Model::description>("description", "What the model is good at."),
          row<&Model::capabilities>("capabilities", "Words such as chat, reasoning, vision."),
          list<&Model::loras>("loras", lora_schema,
                              "Adapters that the engine serves beside the model."),
          row<&Model::quality_score>("quality_score", "Relative quality.").range(0, 1).in("0..1"),
          row<&Model::modality>("modality", "What it produces.")
              .one_of({"ar", "diffusion", "omni"}),
          row<&Model::tags>("tags", "Words of your own.")}};
  return schema;
}

const Schema& providers_schema() {
  static const Schema schema{
      .name = "providers",
      .fields = {group("defaults", defaults_schema, "What holds for all models."),
                 list<&Providers::models>("models", provider_model_schema,
                                          "Models and where they are served."),
                 list<&Providers::engines>(
                     "engines", backend_schema,
                     "Engines that are asked which models they serve; for models not listed."),
                 row<&Providers::aliases>("aliases", "Other names of models, for clients.")}};
  return schema;
}

}  // namespace signalbox::config
