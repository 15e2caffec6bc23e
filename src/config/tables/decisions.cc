// Rows of routing.decisions: rules, models, algorithm and plugins.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/tables/bind.h"
#include "config/tables/tables.h"

namespace signalbox::config {

template <>
struct EnumWords<RuleOperator> {
  static constexpr std::pair<std::string_view, RuleOperator> kWords[] = {
      {"AND", RuleOperator::kAnd}, {"OR", RuleOperator::kOr}, {"NOT", RuleOperator::kNot}};
};
template <>
struct EnumWords<OnError> {
  static constexpr std::pair<std::string_view, OnError> kWords[] = {{"no_match", OnError::kNoMatch},
                                                                    {"match", OnError::kMatch}};
};
template <>
struct EnumWords<PromptMode> {
  static constexpr std::pair<std::string_view, PromptMode> kWords[] = {
      {"replace", PromptMode::kReplace},
      {"insert", PromptMode::kInsert},
      {"append", PromptMode::kAppend}};
};

namespace {

struct Pair {
  std::string name;
  std::string value;
};

// Known plugin types. Those without a row function are of a later release.
struct PluginKind {
  std::string_view type;
  const Schema& (*schema)();
  void (*read)(Reader&, const Node&, Plugins&);  // nullptr: not executed and not kept
  bool supported;
};

template <auto Member, const Schema& (*Rows)()>
void read_plugin(Reader& reader, const Node& node, Plugins& out) {
  Rows().read(reader, node, &(out.*Member).emplace());
}

const Schema& system_prompt_schema() {
  using P = SystemPromptPlugin;
  static const Schema schema{
      .name = "plugins[].configuration of system_prompt",
      .fields = {
          row<&P::enabled>("enabled", "Off leaves the prompt out."),
          row<&P::system_prompt>("system_prompt", "Text of the system message."),
          row<&P::mode>(
              "mode", "replace the client's system message, insert before it, or append to it.")}};
  return schema;
}

const Schema& pair_schema() {
  static const Schema schema{.name = "header",
                             .fields = {row<&Pair::name>("name", "Name of the header.").required(),
                                        row<&Pair::value>("value", "Its value.")}};
  return schema;
}

template <auto Member>
Field header_list(std::string_view key, std::string_view doc) {
  Field field = known_list(key, pair_schema, doc);
  field.read = [](Reader& reader, const Field&, const Node& node, void* object) {
    if (!reader.expect_sequence(node)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Reader::Scope scope(reader, i, node.items[i]);
      Pair pair;
      pair_schema().read(reader, node.items[i], &pair);
      (static_cast<HeaderMutationPlugin*>(object)->*Member)
          .emplace_back(std::move(pair.name), std::move(pair.value));
    }
  };
  return field;
}

const Schema& header_mutation_schema() {
  using P = HeaderMutationPlugin;
  static const Schema schema{
      .name = "plugins[].configuration of header_mutation",
      .fields = {header_list<&P::add>("add", "Headers added to the upstream request."),
                 header_list<&P::update>("update", "Headers set, whether they were there or not."),
                 row<&P::remove>("delete", "Headers removed.")}};
  return schema;
}

const Schema& request_params_schema() {
  using P = RequestParamsPlugin;
  static const Schema schema{
      .name = "plugins[].configuration of request_params",
      .fields = {
          row<&P::blocked_params>("blocked_params", "Members of the body that are removed."),
          row<&P::max_tokens_limit>("max_tokens_limit", "Upper end of max_tokens.")
              .range(1, 1e9)
              .in("tokens"),
          row<&P::max_n>("max_n", "Upper end of n.").range(1, 1e6),
          row<&P::strip_unknown>("strip_unknown", "Remove members that the API does not define.")}};
  return schema;
}

const Schema& fast_response_schema() {
  static const Schema schema{.name = "plugins[].configuration of fast_response",
                             .fields = {row<&FastResponsePlugin::message>(
                                            "message", "Answer given without asking a model.")
                                            .required()}};
  return schema;
}

const Schema& cache_semantic_schema() {
  static const Schema schema{.name = "plugins[].configuration.semantic",
                             .fields = {row<&ResponseCachePlugin::similarity_threshold>(
                                            "similarity_threshold", "Least similarity of a hit.")
                                            .range(0, 1)
                                            .in("0..1")}};
  return schema;
}

const Schema& response_cache_schema() {
  using P = ResponseCachePlugin;
  static const Schema schema{
      .name = "plugins[].configuration of response_cache",
      .fields = {
          row<&P::enabled>("enabled", "Off disables the cache for this decision."),
          row<&P::scope>("scope", "Who shares entries.")
              .one_of({"user", "team", "tenant", "global"}),
          row<&P::similarity_threshold>("similarity_threshold", "Least similarity of a hit.")
              .range(0, 1)
              .in("0..1"),
          group("semantic", cache_semantic_schema, "The same threshold in its nested place."),
          known_scalar("mode", Type::kString), known_scalar("ttl_seconds", Type::kInteger),
          known_scalar("allow_request_controls", Type::kBoolean),
          known_scalar("control_header", Type::kString), known_open("request_controls"),
          known_open("personalized"), known_open("revision")}};
  return schema;
}

const Schema& pii_schema() {
  using P = PiiPlugin;
  static const Schema schema{
      .name = "plugins[].configuration of pii",
      .fields = {
          row<&P::enabled>("enabled", "Off disables the check."),
          row<&P::types_allowed>("pii_types_allowed", "Kinds of personal data that may pass."),
          known_scalar("threshold", Type::kNumber)}};
  return schema;
}

template <const char* Name>
const Schema& later_schema() {
  return known_schema(Name);
}
constexpr char kTools[] = "ToolsPlugin";
constexpr char kToolSelection[] = "ToolSelectionPlugin";
constexpr char kCompression[] = "ContextCompressionPlugin";
constexpr char kMemory[] = "MemoryPlugin";
constexpr char kRag[] = "RAGPlugin";
constexpr char kReplay[] = "RouterReplayPlugin";
constexpr char kHallucination[] = "HallucinationPlugin";
constexpr char kResponseJailbreak[] = "ResponseJailbreakPlugin";
constexpr char kJailbreak[] = "JailbreakPlugin";
constexpr char kImageGen[] = "ImageGenPlugin";

constexpr std::array<PluginKind, 16> kPlugins = {{
    {"system_prompt", system_prompt_schema,
     read_plugin<&Plugins::system_prompt, system_prompt_schema>, true},
    {"header_mutation", header_mutation_schema,
     read_plugin<&Plugins::header_mutation, header_mutation_schema>, true},
    {"request_params", request_params_schema,
     read_plugin<&Plugins::request_params, request_params_schema>, true},
    {"fast_response", fast_response_schema,
     read_plugin<&Plugins::fast_response, fast_response_schema>, true},
    {"response_cache", response_cache_schema,
     read_plugin<&Plugins::response_cache, response_cache_schema>, false},
    {"pii", pii_schema, read_plugin<&Plugins::pii, pii_schema>, false},
    {"jailbreak", later_schema<kJailbreak>, nullptr, false},
    {"tools", later_schema<kTools>, nullptr, false},
    {"tool_selection", later_schema<kToolSelection>, nullptr, false},
    {"context_compression", later_schema<kCompression>, nullptr, false},
    {"memory", later_schema<kMemory>, nullptr, false},
    {"rag", later_schema<kRag>, nullptr, false},
    {"router_replay", later_schema<kReplay>, nullptr, false},
    {"hallucination", later_schema<kHallucination>, nullptr, false},
    {"response_jailbreak", later_schema<kResponseJailbreak>, nullptr, false},
    {"image_gen", later_schema<kImageGen>, nullptr, false},
}};

void unknown_type(Reader& reader, const Node& node, std::string_view what, std::string_view type,
                  const std::vector<std::string_view>& known) {
  const auto meant = did_you_mean(type, known);
  std::string remedy = "known:";
  for (const auto word : known) remedy += fmt::format(" {}", word);
  reader.error("unknown-word", node.mark, fmt::format("unknown {} '{}'", what, type),
               meant ? fmt::format("did you mean '{}'?", *meant) : remedy);
}

void read_one_plugin(Reader& reader, const Node& node, Plugins& out) {
  static const Schema envelope{
      .name = "plugins[]",
      .fields = {known_scalar("type", Type::kString).required(), known_open("configuration")}};
  envelope.read(reader, node, nullptr);
  const auto type = plugin_type(node.text("type"));
  if (type.empty()) return;
  const auto kind = std::ranges::find(kPlugins, type, &PluginKind::type);
  if (kind == kPlugins.end()) {
    std::vector<std::string_view> known;
    for (const auto& plugin : kPlugins) known.push_back(plugin.type);
    unknown_type(reader, *node.find("type"), "plugin", type, known);
    return;
  }
  static const Node kNothing;
  const auto* configuration = node.find("configuration");
  const Node& rows = configuration ? *configuration : kNothing;
  const Reader::Scope scope(reader, "configuration", rows);
  const bool off = equal_ignore_case(rows.text("enabled"), "false");
  if (!kind->supported && !off) reader.not_yet(fmt::format("plugin {}", type), node.mark);
  if (kind->read != nullptr) {
    kind->read(reader, rows, out);
  } else {
    kind->schema().read(reader, rows, nullptr);
    if (!off) out.unsupported.emplace_back(type);
  }
}

Field plugins_field() {
  Field field =
      known_scalar("plugins", Type::kList, "What is done with a request that this decision wins.");
  field.variants = [] {
    std::vector<std::pair<std::string_view, const Schema*>> all;
    for (const auto& plugin : kPlugins) all.emplace_back(plugin.type, &plugin.schema());
    return all;
  };
  field.read = [](Reader& reader, const Field&, const Node& node, void* object) {
    if (!reader.expect_sequence(node)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Reader::Scope scope(reader, i, node.items[i]);
      read_one_plugin(reader, node.items[i], static_cast<Decision*>(object)->plugins);
    }
  };
  return field;
}

// Selectors and loopers of v0.3; static takes the first model.
constexpr std::array<std::string_view, 17> kAlgorithms = {
    "static",       "confidence", "ratings", "remom",  "fusion",
    "workflows",    "router_dc",  "automix", "hybrid", "latency_aware",
    "multi_factor", "prompt",     "knn",     "kmeans", "svm",
    "mlp",          "ml"};

Field algorithm_field() {
  Field field = known_struct(
      "algorithm", [] -> const Schema& { return known_schema("Algorithm"); },
      "How one of several models is chosen; only static today (the first).");
  field.read = [](Reader& reader, const Field& self, const Node& node, void* object) {
    self.nested().read(reader, node, nullptr);
    const auto* type = node.find("type");
    if (type == nullptr) return;
    if (std::ranges::find(kAlgorithms, type->scalar) == kAlgorithms.end()) {
      unknown_type(reader, *type, "algorithm", type->scalar,
                   {kAlgorithms.begin(), kAlgorithms.end()});
      return;
    }
    static_cast<Decision*>(object)->algorithm = type->scalar;
    if (type->scalar != "static")
      reader.not_yet(fmt::format("algorithm {}", type->scalar), type->mark);
  };
  return field;
}

void finish_rule(Reader& reader, const Node& node, void* object) {
  auto& rule = *static_cast<RuleNode*>(object);
  rule.line = node.mark.line;
  const bool has_operator = node.find("operator") != nullptr;
  if (node.find("type") != nullptr) {
    rule.op = RuleOperator::kLeaf;
    if (has_operator || node.find("conditions") != nullptr) {
      reader.error("contradiction", node.mark,
                   "a condition with a type cannot have an operator or conditions",
                   "put the operator one level above");
    }
    if (rule.name.empty())
      reader.error("missing-key", node.mark, "a condition needs the name of a signal");
    return;
  }
  if (!has_operator && !rule.children.empty()) {
    reader.error("missing-key", node.mark, "conditions without an operator",
                 "add operator: AND, OR or NOT");
  }
  if (rule.op == RuleOperator::kNot && rule.children.size() != 1) {
    reader.error("contradiction", node.mark,
                 fmt::format("NOT has {} conditions, it takes exactly one", rule.children.size()),
                 "wrap them in one AND or OR");
  }
  if (rule.op == RuleOperator::kOr && rule.children.empty()) {
    reader.error("contradiction", node.mark, "OR without conditions can never match",
                 "write operator: AND with conditions: [] for a decision that always matches");
  }
}

const Schema& rule_schema() {
  using R = RuleNode;
  static const Schema schema{
      .name = "routing.decisions[].rules",
      .fields = {row<&R::op>("operator",
                             "AND, OR or NOT over the conditions; AND of nothing always matches."),
                 list<&R::children>("conditions", rule_schema, "Conditions, or further operators."),
                 row<&R::type>("type", "Kind of signal: keyword, domain, embedding, ..."),
                 row<&R::name>("name", "Name of the signal."),
                 row<&R::label>("label", "Label of a classifier."),
                 child<&R::predicate>("predicate", predicate_schema,
                                      "Bounds on the signal's value."),
                 row<&R::on_error>("on_error",
                                   "What a signal that could not be evaluated counts as.")},
      .aliases = {{"rule_name", "name"}},
      .after = finish_rule};
  return schema;
}

const Schema& model_ref_schema() {
  using R = ModelRef;
  static const Schema schema{
      .name = "routing.decisions[].modelRefs[]",
      .fields = {row<&R::model>("model", "Name of a model, or of an adapter.").required(),
                 row<&R::lora_name>("lora_name",
                                    "Adapter of that model; goes upstream as the model's name."),
                 row<&R::weight>("weight", "Share against the other models.").range(0, 1e6),
                 row<&R::use_reasoning>("use_reasoning", "Whether the model should reason."),
                 row<&R::reasoning_description>("reasoning_description", "Why, for the reader."),
                 row<&R::reasoning_effort>("reasoning_effort",
                                           "How much; default is the providers' default.")
                     .one_of({"low", "medium", "high"})}};
  return schema;
}

}  // namespace

const Schema& decision_schema() {
  using D = Decision;
  static const Schema schema{
      .name = "routing.decisions[]",
      .fields =
          {row<&D::name>("name", "Unique name, also in headers and metrics.").required(),
           row<&D::description>("description", "For the reader."),
           row<&D::priority>("priority", "The highest that matches wins, under strategy priority."),
           row<&D::tier>("tier", "Where tiers are used, the lowest that matches wins first.")
               .range(0, 1e6),
           child<&D::rules>("rules", rule_schema,
                            "When the decision matches; without rules it always does."),
           list<&D::model_refs>("modelRefs", model_ref_schema,
                                "Candidates; the first is used, the others stand in."),
           algorithm_field(), plugins_field(),
           known_scalar("output_contract", Type::kString).later("output contracts"),
           known_struct("output_contract_spec",
                        [] -> const Schema& { return known_schema("OutputContractSpec"); })
               .later("output contracts"),
           known_struct("adaptations", [] -> const Schema& { return known_schema("Adaptations"); })
               .later("decision adaptations"),
           known_list("candidateIterations",
                      [] -> const Schema& { return known_schema("CandidateIteration"); })
               .later("candidateIterations"),
           known_list("emits", [] -> const Schema& { return known_schema("Emit"); }).later("emits"),
           known_open("annotations", "Words of your own.")},
      .after = [](Reader&, const Node& node, void* object) {
        static_cast<D*>(object)->line = node.mark.line;
      }};
  return schema;
}

std::string_view plugin_type(std::string_view written) {
  for (const auto alias : {"semantic-cache", "semantic_cache", "response-cache"}) {
    if (written == alias) return "response_cache";
  }
  return written;
}

}  // namespace signalbox::config
