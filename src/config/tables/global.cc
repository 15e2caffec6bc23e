// Rows of `global`.
#include <algorithm>

#include "config/tables/bind.h"
#include "config/tables/document.h"
#include "config/tables/tables.h"

namespace signalbox::config {

namespace {

using G = GlobalDocument;

// A part of a later release with the rows of known_keys.cc.
Field later_part(std::string_view key, std::string_view schema, std::string_view feature,
                 std::string_view doc) {
  return known_struct(
             key, [schema]() -> const Schema& { return known_schema(schema); }, doc)
      .later(feature);
}

const Schema& skip_processing_schema() {
  static const Schema schema{
      .name = "global.router.skip_processing",
      .fields = {row<&G::skip_processing>(
          "enabled", "Let requests with x-vsr-skip-processing pass unexamined.")}};
  return schema;
}

const Schema& router_schema() {
  static const Schema schema{
      .name = "global.router",
      .fields =
          {row<&G::config_source>("config_source", "Where the configuration comes from.")
               .one_of({"file", "kubernetes"}),
           row<&G::strategy>("strategy", "How one of several matching decisions is chosen."),
           row<&G::auto_model_name>("auto_model_name",
                                    "One more model name that asks for automatic routing."),
           row<&G::auto_model_names>(
               "auto_model_names",
               "Model names that ask for automatic routing, instead of vllm-sr/auto, auto, MoM."),
           row<&G::include_config_models_in_list>(
               "include_config_models_in_list",
               "Show configured models in /v1/models beside the automatic names."),
           row<&G::clear_route_cache>("clear_route_cache",
                                      "Let Envoy choose its route again after the rewrite."),
           later_part("streamed_body", "StreamedBody", "streamed request bodies",
                      "Bodies seen in pieces."),
           group("skip_processing", skip_processing_schema, "Requests that pass unexamined."),
           later_part("model_selection", "ModelSelection", "model selection",
                      "Learned choice between models."),
           later_part("learning", "Learning", "router learning", "Adaptation to what happens.")
               .opt_in()},
      .after = [](Reader& reader, const Node& node, void* object) {
        if (static_cast<G*>(object)->config_source == "kubernetes") {
          reader.not_yet("config_source kubernetes", node.entry("config_source")->mark);
        }
      }};
  return schema;
}

const Schema& exporter_schema() {
  static const Schema schema{
      .name = "global.services.observability.tracing.exporter",
      .fields = {known_scalar("type", Type::kString, "Always otlp."),
                 row<&Tracing::endpoint>("endpoint", "host:port or URL of an OTLP/HTTP receiver."),
                 known_scalar("insecure", Type::kBoolean, "Without TLS.")}};
  return schema;
}

const Schema& sampling_schema() {
  static const Schema schema{
      .name = "global.services.observability.tracing.sampling",
      .fields = {known_scalar("type", Type::kString, "always_on, always_off or probabilistic."),
                 row<&Tracing::sampling_rate>("rate", "Share of requests, of probabilistic.")
                     .range(0, 1)
                     .in("0..1")},
      .after = [](Reader&, const Node& node, void* object) {
        auto& tracing = *static_cast<Tracing*>(object);
        if (node.text("type") == "always_on") tracing.sampling_rate = 1;
        if (node.text("type") == "always_off") tracing.sampling_rate = 0;
      }};
  return schema;
}

const Schema& resource_schema() {
  static const Schema schema{
      .name = "global.services.observability.tracing.resource",
      .fields = {row<&Tracing::service_name>("service_name", "Name of the service in traces."),
                 known_scalar("service_version", Type::kString,
                              "For the reader; the program's own version is sent."),
                 known_scalar("deployment_environment", Type::kString, "For the reader.")}};
  return schema;
}

const Schema& tracing_schema() {
  static const Schema schema{
      .name = "global.services.observability.tracing",
      .fields = {row<&Tracing::enabled>("enabled", "Send spans."),
                 known_scalar("provider", Type::kString, "For the reader."),
                 group("exporter", exporter_schema, "Where spans go."),
                 group("sampling", sampling_schema, "Which requests are traced."),
                 group("resource", resource_schema, "What spans say about the sender.")}};
  return schema;
}

const Schema& observability_schema() {
  static const Schema schema{
      .name = "global.services.observability",
      .fields = {into<&G::tracing>(group("tracing", tracing_schema, "Spans by OTLP.")),
                 later_part("metrics", "Metrics", "windowed metrics", "Metrics by window.")}};
  return schema;
}

const Schema& identity_schema() {
  static const Schema schema{
      .name = "global.services.authz.identity",
      .fields = {row<&G::user_id_header>("user_id_header", "Header that names the user."),
                 row<&G::user_groups_header>("user_groups_header",
                                             "Header that lists the user's groups.")}};
  return schema;
}

const Schema& authz_schema() {
  static const Schema schema{
      .name = "global.services.authz",
      .fields = {known_scalar("fail_open", Type::kBoolean,
                              "Let requests pass when identity cannot be found."),
                 group("identity", identity_schema, "Headers that say who asks."),
                 known_list("providers", [] -> const Schema& {
                   return known_schema("AuthzProvider");
                 }).later("authz providers")}};
  return schema;
}

const Schema& services_schema() {
  static const Schema schema{
      .name = "global.services",
      .fields = {
          later_part("api", "API", "batch classification API", "Limits of the classification API."),
          later_part("response_api", "ResponseAPI", "stored responses", "Store of /v1/responses."),
          group("observability", observability_schema, "Traces and metrics."),
          group("authz", authz_schema, "Who asks."),
          later_part("ratelimit", "RateLimit", "rate limits", "Quotas by user, group and model."),
          later_part("management_api", "ManagementAPI", "management API",
                     "Changing the configuration by HTTP."),
          later_part("router_replay", "RouterReplay", "router replay", "Record of decisions.")
              .opt_in(),
          later_part("startup_status", "StartupStatus", "startup status",
                     "Where progress is kept.")}};
  return schema;
}

const Schema& stores_schema() {
  static const Schema schema{
      .name = "global.stores",
      .fields = {later_part("response_cache", "ResponseCacheStore", "response cache",
                            "Store of the response cache."),
                 later_part("memory", "Memory", "memory", "Store of memories.").opt_in(),
                 later_part("vector_store", "VectorStore", "vector stores",
                            "Store of uploaded documents.")
                     .opt_in()},
      .aliases = {{"semantic_cache", "response_cache"},
                  {"semantic-cache", "response_cache"},
                  {"response-cache", "response_cache"}}};
  return schema;
}

const Schema& integrations_schema() {
  static const Schema schema{
      .name = "global.integrations",
      .fields = {
          later_part("tools", "Tools", "tool selection", "Choice of tools by the prompt.").opt_in(),
          later_part("looper", "Looper", "looper", "Several calls for one request.")}};
  return schema;
}

constexpr std::string_view kModelDirectory =
    "Directory of a classifier in model hub format that judges instead of the shipped one.";
constexpr std::string_view kLabelMapping = "File with the names of that classifier's labels.";

void keep_model_line(const Node& node, HubModel& model) {
  if (const auto* entry = node.entry("model_id")) model.line = entry->mark.line;
}

// The rows of one classifier: where a model of the user's own is, and what else the reference system knows there.
Schema module_schema(std::string_view path, std::string_view known, std::string_view mapping_key) {
  using M = HubModel;
  Schema built = known_schema(known);
  built.name = path;
  std::erase_if(built.fields, [mapping_key](const Field& field) {
    return field.key == "model_id" || field.key == "threshold" || field.key == "positive_labels" ||
           field.key == mapping_key;
  });
  built.fields.insert(
      built.fields.begin(),
      {row<&M::model_id>("model_id", kModelDirectory).restart(),
       row<&M::threshold>("threshold", "With model_id: least score of a finding; 0 stands for 0.5.")
           .range(0, 1)
           .in("0..1")});
  if (!mapping_key.empty())
    built.fields.push_back(row<&M::mapping_path>(mapping_key, kLabelMapping).restart());
  built.after = [](Reader&, const Node& node, void* object) {
    keep_model_line(node, *static_cast<M*>(object));
  };
  return built;
}

const Schema& prompt_guard_schema() {
  static const Schema schema = [] {
    Schema built = module_schema("global.model_catalog.modules.prompt_guard", "PromptGuard",
                                 "jailbreak_mapping_path");
    built.fields.push_back(row<&HubModel::positive_labels>(
                               "positive_labels", "With model_id: labels that are findings.")
                               .restart());
    return built;
  }();
  return schema;
}

const Schema& pii_module_schema() {
  static const Schema schema =
      module_schema("global.model_catalog.modules.classifier.pii", "PIIModel", "pii_mapping_path");
  return schema;
}

const Schema& feedback_module_schema() {
  static const Schema schema = module_schema("global.model_catalog.modules.feedback_detector",
                                             "FeedbackDetector", "feedback_mapping_path");
  return schema;
}

const Schema& fact_check_module_schema() {
  static const Schema schema = module_schema(
      "global.model_catalog.modules.hallucination_mitigation.fact_check", "FactCheck", "");
  return schema;
}

const Schema& hallucination_schema() {
  static const Schema schema = [] {
    Schema built = known_schema("Hallucination");
    built.name = "global.model_catalog.modules.hallucination_mitigation";
    for (Field& field : built.fields) {
      if (field.key != "fact_check") continue;
      field = child<&HubModels::fact_check>("fact_check", fact_check_module_schema,
                                            "Whether an answer would be worth checking.");
    }
    built.after = [](Reader& reader, const Node& node, void*) {
      const bool more = std::ranges::any_of(node.entries, [](const Node::Entry& entry) {
        return entry.key != "enabled" && entry.key != "fact_check";
      });
      if (more && node.text("enabled") != "false")
        reader.not_yet("hallucination mitigation", node.mark);
    };
    return built;
  }();
  return schema;
}

const Schema& domain_module_schema() {
  static const Schema schema = [] {
    Schema built = known_schema("CategoryModel");
    built.name = "global.model_catalog.modules.classifier.domain";
    std::erase_if(built.fields, [](const Field& field) {
      return field.key == "model_id" || field.key == "category_mapping_path";
    });
    const auto own = [](Field field) {
      return into<&G::hub_models>(into<&HubModels::domain>(std::move(field)));
    };
    built.fields.push_back(own(row<&HubModel::model_id>("model_id", kModelDirectory).restart()));
    built.fields.push_back(
        own(row<&HubModel::mapping_path>("category_mapping_path", kLabelMapping).restart()));
    built.after = [](Reader&, const Node& node, void* object) {
      keep_model_line(node, static_cast<G*>(object)->hub_models.domain);
    };
    built.fields.push_back(row<&G::domain_threshold>(
                               "threshold", "Below this confidence the domain signal is no match.")
                               .range(0, 1)
                               .in("0..1"));
    built.fields.push_back(row<&G::domain_fallback_category>(
        "fallback_category", "Label used when the classifier is not sure."));
    return built;
  }();
  return schema;
}

const Schema& classifier_schema() {
  static const Schema schema{
      .name = "global.model_catalog.modules.classifier",
      .fields = {
          group("domain", domain_module_schema, "The domain classifier."),
          later_part("mcp", "MCPCategoryModel", "classifier by MCP", "A classifier behind MCP."),
          into<&G::hub_models>(
              child<&HubModels::pii>("pii", pii_module_schema, "The classifier of personal data.")),
          later_part("preference", "PreferenceModel", "preference classifier",
                     "The classifier of preferences.")}};
  return schema;
}

const Schema& modules_schema() {
  static const Schema schema{
      .name = "global.model_catalog.modules",
      .fields = {later_part("prompt_compression", "PromptCompression", "prompt compression",
                            "Shorter prompts."),
                 into<&G::hub_models>(child<&HubModels::prompt_guard>(
                     "prompt_guard", prompt_guard_schema, "The jailbreak classifier.")),
                 group("classifier", classifier_schema, "Classifiers."),
                 later_part("complexity", "ComplexityModel", "complexity classifier",
                            "How hard a prompt is."),
                 into<&G::hub_models>(
                     group("hallucination_mitigation", hallucination_schema, "Checks of answers.")),
                 into<&G::hub_models>(child<&HubModels::feedback>(
                     "feedback_detector", feedback_module_schema, "What users think.")),
                 later_part("modality_detector", "ModalityDetector", "modality detector",
                            "Text or image.")}};
  return schema;
}

const Schema& catalog_schema() {
  static const Schema schema{
      .name = "global.model_catalog",
      .fields = {later_part("embeddings", "Embeddings", "embedding models of model_catalog",
                            "Embedding models; the shipped encoder is used."),
                 later_part("system", "SystemModels", "system models of model_catalog",
                            "Classifier models; the shipped heads are used."),
                 known_list(
                     "external", [] -> const Schema& { return known_schema("ExternalModel"); },
                     "Models behind HTTP that classify.")
                     .later("external models"),
                 known_list(
                     "kbs", [] -> const Schema& { return known_schema("KnowledgeBase"); },
                     "Knowledge bases.")
                     .later("knowledge bases"),
                 group("modules", modules_schema, "Settings of the classifiers.")}};
  return schema;
}

}  // namespace

const Schema& global_schema() {
  static const Schema schema{
      .name = "global",
      .fields = {group("router", router_schema, "Routing as a whole."),
                 group("services", services_schema, "Services around it."),
                 group("stores", stores_schema, "What is kept."),
                 group("integrations", integrations_schema, "Tools and loops."),
                 group("model_catalog", catalog_schema, "Models of the classifiers.")}};
  return schema;
}

}  // namespace signalbox::config
