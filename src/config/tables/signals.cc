// Rows of routing.signals. Kinds that are evaluated today are bound to the model; the others are read for their names,
// so that rules which use them resolve, and reported as not supported yet.
#include <algorithm>
#include <array>

#include "config/tables/bind.h"
#include "config/tables/tables.h"
#include "pii/entity.h"

namespace signalbox::config {

template <>
struct EnumWords<KeywordOperator> {
  static constexpr std::pair<std::string_view, KeywordOperator> kWords[] = {
      {"AND", KeywordOperator::kAnd}, {"OR", KeywordOperator::kOr}, {"NOR", KeywordOperator::kNor}};
};
template <>
struct EnumWords<KeywordMethod> {
  static constexpr std::pair<std::string_view, KeywordMethod> kWords[] = {
      {"regex", KeywordMethod::kRegex},
      {"bm25", KeywordMethod::kBm25},
      {"ngram", KeywordMethod::kNgram},
      {"fuzzy", KeywordMethod::kFuzzy}};
};
template <>
struct EnumWords<Aggregation> {
  static constexpr std::pair<std::string_view, Aggregation> kWords[] = {
      {"mean", Aggregation::kMean}, {"max", Aggregation::kMax}, {"any", Aggregation::kAny}};
};

namespace {

struct Kind {
  std::string_view key;     // under routing.signals
  std::string_view type;    // in rule leaves
  std::string_view schema;  // known_schema of kinds of later releases; empty: supported
};
constexpr std::array<Kind, 20> kKinds = {{
    {"keywords", "keyword", ""},
    {"embeddings", "embedding", ""},
    {"domains", "domain", ""},
    {"language", "language", ""},
    {"context", "context", ""},
    {"structure", "structure", ""},
    {"conversation", "conversation", ""},
    {"metadata", "metadata", ""},
    {"role_bindings", "authz", ""},
    {"fact_check", "fact_check", ""},
    {"user_feedbacks", "user_feedback", ""},
    {"reasks", "reask", "ReaskRule"},
    {"preferences", "preference", "PreferenceRule"},
    {"complexity", "complexity", ""},
    {"modality", "modality", "NamedRule"},
    {"jailbreak", "jailbreak", ""},
    {"pii", "pii", ""},
    {"kb", "kb", "KBSignalRule"},
    {"events", "event", "EventRule"},
    {"classifiers", "classifier", "ClassifierSignalRule"},
}};

constexpr std::string_view kRuleName = "Name used in rules.";
constexpr std::string_view kDescription = "For the reader.";

void check_keyword(Reader& reader, const Node& node, void* object) {
  const auto& rule = *static_cast<KeywordRule*>(object);
  if (rule.keywords.empty())
    reader.error("missing-key", node.mark, "a keyword rule without keywords can never match");
  if (rule.method == KeywordMethod::kRegex) return;
  const auto* method = node.entry("method");
  reader.not_yet(fmt::format("keyword method {}", show_value(rule.method)),
                 method ? method->mark : node.mark);
}

const Schema& keyword_schema() {
  using R = KeywordRule;
  static const Schema schema{
      .name = "routing.signals.keywords[]",
      .fields =
          {row<&R::name>("name", kRuleName).required(),
           row<&R::op>("operator", "AND: all words, OR: any word, NOR: none of them."),
           row<&R::keywords>(
               "keywords", "Words or phrases, matched as whole words; /.../ is an RE2 expression."),
           row<&R::case_sensitive>("case_sensitive", "Tell upper from lower case."),
           row<&R::method>("method", "How words are matched; only regex is evaluated today."),
           row<&R::fuzzy_match>("fuzzy_match", "Allow typing errors."),
           row<&R::fuzzy_threshold>("fuzzy_threshold", "Edits allowed, or percent of similarity.")
               .range(0, 100),
           row<&R::bm25_threshold>("bm25_threshold", "Least score.").range(0, 1000),
           row<&R::ngram_threshold>("ngram_threshold", "Least similarity.").range(0, 1).in("0..1"),
           row<&R::ngram_arity>("ngram_arity", "Letters per n-gram.").range(1, 16)},
      // The flat generations called the rule by the category it feeds.
      .aliases = {{"category", "name"}},
      .after = check_keyword};
  return schema;
}

const Schema& embedding_schema() {
  using R = EmbeddingRule;
  static const Schema schema{
      .name = "routing.signals.embeddings[]",
      .fields =
          {row<&R::name>("name", kRuleName).required(),
           row<&R::threshold>("threshold", "Least cosine similarity.").range(-1, 1).in("-1..1"),
           row<&R::candidates>("candidates", "Example texts that the prompt is compared with."),
           row<&R::aggregation>("aggregation_method",
                                "mean or max of the similarities, or any above."),
           row<&R::query_modality>("query_modality", "Part of the request that is compared.")
               .one_of({"text", "image", "audio"})},
      .aliases = {{"category", "name"},
                  {"keywords", "candidates"},
                  {"similarity_threshold", "threshold"}},
      .after = [](Reader& reader, const Node& node, void* object) {
        const auto& rule = *static_cast<R*>(object);
        if (rule.candidates.empty())
          reader.error("missing-key", node.mark, "an embedding rule needs candidates");
        if (rule.query_modality != "text")
          reader.not_yet("embedding of " + rule.query_modality, node.mark);
      }};
  return schema;
}

const Schema& model_score_schema() {
  using S = ModelScore;
  static const Schema schema{
      .name = "routing.signals.domains[].model_scores[]",
      .fields = {row<&S::model>("model", "Name of a model.").required(),
                 row<&S::score>("score", "How well it does here.").range(0, 1).in("0..1"),
                 row<&S::use_reasoning>("use_reasoning", "Whether it should reason here.")}};
  return schema;
}

const Schema& domain_schema() {
  using R = DomainRule;
  static const Schema schema{
      .name = "routing.signals.domains[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::description>("description", kDescription),
                 row<&R::mmlu_categories>("mmlu_categories",
                                          "Labels of the classifier; default is the name."),
                 list<&R::model_scores>("model_scores", model_score_schema,
                                        "Quality of models in this domain.")}};
  return schema;
}

const Schema& language_schema() {
  using R = LanguageRule;
  static const Schema schema{
      .name = "routing.signals.language[]",
      .fields = {row<&R::name>("name", "ISO 639-1 code, for example es.").required(),
                 row<&R::description>("description", kDescription),
                 row<&R::threshold>("threshold", "Least confidence; 0 stands for the default.")
                     .range(0, 1)
                     .in("0..1")},
      .after = [](Reader&, const Node&, void* object) {
        auto& rule = *static_cast<R*>(object);
        if (rule.threshold == 0) rule.threshold = R{}.threshold;
      }};
  return schema;
}

const Schema& context_schema() {
  using R = ContextRule;
  static const Schema schema{
      .name = "routing.signals.context[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::min_tokens>("min_tokens", "Fewest tokens of the request.")
                     .as(Type::kTokens)
                     .in("tokens"),
                 row<&R::max_tokens>("max_tokens", "Most tokens; without it there is no upper end.")
                     .as(Type::kTokens)
                     .in("tokens"),
                 row<&R::description>("description", kDescription)},
      .after = [](Reader& reader, const Node& node, void* object) {
        const auto& rule = *static_cast<R*>(object);
        if (rule.min_tokens > rule.max_tokens) {
          reader.error("contradiction", node.mark, "min_tokens is above max_tokens",
                       "exchange them");
        }
      }};
  return schema;
}

const Schema& structure_source_schema() {
  using R = StructureRule;
  static const Schema schema{
      .name = "routing.signals.structure[].feature.source",
      .fields = {row<&R::source_type>("type", "What is looked at.")
                     .one_of({"regex", "keyword_set", "sequence", "text_bytes"})
                     .required(),
                 row<&R::pattern>("pattern", "RE2 expression, of regex."),
                 row<&R::keywords>("keywords", "Words, of keyword_set."),
                 row<&R::case_sensitive>("case_sensitive", "Tell upper from lower case."),
                 row<&R::sequences>("sequences",
                                    "Lists of words that must follow one another, of sequence.")}};
  return schema;
}

const Schema& structure_feature_schema() {
  static const Schema schema{
      .name = "routing.signals.structure[].feature",
      .fields = {row<&StructureRule::feature_type>("type", "What is measured.")
                     .one_of({"count", "exists", "sequence", "density"})
                     .required(),
                 group("source", structure_source_schema, "Where it is measured.")}};
  return schema;
}

const Schema& structure_schema() {
  using R = StructureRule;
  static const Schema schema{
      .name = "routing.signals.structure[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::description>("description", kDescription),
                 group("feature", structure_feature_schema, "What is measured.").required(),
                 child<&R::predicate>("predicate", predicate_schema, "When it matches.")}};
  return schema;
}

const Schema& conversation_source_schema() {
  using R = ConversationRule;
  static const Schema schema{
      .name = "routing.signals.conversation[].feature.source",
      .fields = {row<&R::source_type>("type", "What is counted.")
                     .one_of({"message", "tool_definition", "active_tool_loop", "image_content"})
                     .required(),
                 row<&R::role>("role", "Role of the messages; non_user is all but user.")
                     .one_of({"user", "assistant", "system", "developer", "tool", "non_user"})}};
  return schema;
}

const Schema& conversation_feature_schema() {
  static const Schema schema{
      .name = "routing.signals.conversation[].feature",
      .fields = {row<&ConversationRule::feature_type>("type", "What is measured.")
                     .one_of({"count", "exists"})
                     .required(),
                 group("source", conversation_source_schema, "What is counted.").required()}};
  return schema;
}

const Schema& conversation_schema() {
  using R = ConversationRule;
  static const Schema schema{
      .name = "routing.signals.conversation[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::description>("description", kDescription),
                 group("feature", conversation_feature_schema, "What is measured.").required(),
                 child<&R::predicate>("predicate", predicate_schema, "When it matches.")}};
  return schema;
}

const Schema& metadata_predicate_schema() {
  using R = MetadataRule;
  static const Schema schema{
      .name = "routing.signals.metadata[].predicate",
      .fields = {row<&R::equals>("equals", "The value."), row<&R::in>("in", "Any of these values."),
                 row<&R::exists>("exists", "Whether the key is there at all.")}};
  return schema;
}

const Schema& metadata_schema() {
  using R = MetadataRule;
  static const Schema schema{
      .name = "routing.signals.metadata[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::description>("description", kDescription),
                 row<&R::key>("key", "Key of the request's metadata.").required(),
                 group("predicate", metadata_predicate_schema, "When it matches.")}};
  return schema;
}

const Schema& subject_schema() {
  static const Schema schema{
      .name = "routing.signals.role_bindings[].subjects[]",
      .fields = {row<&Subject::kind>("kind", "User or Group.").one_of({"User", "Group"}).required(),
                 row<&Subject::name>("name", "As the identity header says it.").required()}};
  return schema;
}

const Schema& role_binding_schema() {
  using R = RoleBinding;
  static const Schema schema{
      .name = "routing.signals.role_bindings[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::description>("description", kDescription),
                 list<&R::subjects>("subjects", subject_schema, "Who has the role."),
                 row<&R::role>("role", "The role.")}};
  return schema;
}

// Rows of a kind that a trained head answers: its name and threshold; what else the reference system
// knows there is checked and said to have no effect.
Schema head_rule(std::string_view path, std::string_view known, std::string_view name_doc) {
  using R = HeadRule;
  Schema built = known_schema(known);
  built.name = path;
  std::erase_if(built.fields, [](const Field& field) {
    return field.key == "name" || field.key == "description" || field.key == "threshold";
  });
  for (Field& field : built.fields) {
    if (field.key != "method" && field.key != "include_history")
      field.feature = fmt::format("{} {}", path.substr(path.rfind('.') + 1), field.key);
  }
  built.fields.insert(
      built.fields.begin(),
      {row<&R::name>("name", name_doc).required(),
       row<&R::description>("description", kDescription),
       row<&R::threshold>("threshold", "Least score of a match; 0 stands for the head's own.")
           .range(0, 1)
           .in("0..1")});
  return built;
}

void replace_row(Schema& schema, Field with) {
  std::erase_if(schema.fields, [&](const Field& field) { return field.key == with.key; });
  schema.fields.push_back(std::move(with));
}

const Schema& jailbreak_schema() {
  using R = HeadRule;
  static const Schema schema = [] {
    Schema built = head_rule("routing.signals.jailbreak[]", "JailbreakRule", kRuleName);
    replace_row(built, row<&R::method>("method",
                                       "Who judges: the classifier, nearness to the patterns, or "
                                       "either of them."));
    replace_row(built, row<&R::include_history>(
                           "include_history", "Look at earlier messages too, not only the last."));
    replace_row(
        built, row<&R::positive_examples>("jailbreak_patterns",
                                          "Attacks to compare with, unless method is classifier."));
    replace_row(built, row<&R::negative_examples>(
                           "benign_patterns",
                           "Innocent texts to compare with; the difference of both is the score."));
    built.after = [](Reader& reader, const Node& node, void* object) {
      const auto& rule = *static_cast<R*>(object);
      if (rule.method == R::Method::kClassifier || !rule.positive_examples.empty()) return;
      reader.error("missing-key", node.entry("method")->mark,
                   "this method compares with jailbreak_patterns, and there are none",
                   "list some attacks under jailbreak_patterns, or say method: classifier");
    };
    return built;
  }();
  return schema;
}

// Example texts of one side of a complexity rule.
template <auto Member>
Schema candidates(const char* name) {
  Schema built = known_schema("Candidates");
  built.name = name;
  for (Field& field : built.fields) field.feature = "complexity of images";
  replace_row(built, row<Member>("candidates", "Example texts."));
  return built;
}

const Schema& hard_schema() {
  static const Schema schema =
      candidates<&HeadRule::positive_examples>("routing.signals.complexity[].hard");
  return schema;
}

const Schema& easy_schema() {
  static const Schema schema =
      candidates<&HeadRule::negative_examples>("routing.signals.complexity[].easy");
  return schema;
}

const Schema& pii_schema() {
  using R = PiiRule;
  static const Schema schema{
      .name = "routing.signals.pii[]",
      .fields = {row<&R::name>("name", kRuleName).required(),
                 row<&R::description>("description", kDescription),
                 row<&R::threshold>("threshold",
                                    "Least confidence; 0 stands for the classifier's own, by type.")
                     .range(0, 1)
                     .in("0..1"),
                 row<&R::types_allowed>("pii_types_allowed",
                                        "Kinds of personal data that do not make it match."),
                 row<&R::include_history>("include_history",
                                          "Look at earlier messages too, not only the last.")},
      .after = [](Reader& reader, const Node& node, void* object) {
        for (const std::string& name : static_cast<R*>(object)->types_allowed) {
          if (pii::parse_type(name)) continue;
          const auto* allowed = node.entry("pii_types_allowed");
          reader.warning("unknown-pii-type", allowed ? allowed->mark : node.mark,
                         fmt::format("{} is no kind of personal data that is recognised", name),
                         "see GET /info/classifier for the kinds");
        }
      }};
  return schema;
}

const Schema& complexity_schema() {
  using R = HeadRule;
  static const Schema schema = [] {
    Schema built = head_rule("routing.signals.complexity[]", "ComplexityRule",
                             "Name used in rules, with :easy, :medium or :hard behind it.");
    replace_row(built, group("hard", hard_schema,
                             "Hard prompts to compare with instead of asking the classifier."));
    replace_row(built, group("easy", easy_schema, "Easy prompts to compare with."));
    built.after = [](Reader& reader, const Node& node, void* object) {
      const auto& rule = *static_cast<R*>(object);
      if (rule.positive_examples.empty() == rule.negative_examples.empty()) return;
      reader.error("missing-key", node.mark, "hard and easy candidates need one another",
                   "give candidates for both, or for neither");
    };
    return built;
  }();
  return schema;
}

const Schema& fact_check_schema() {
  static const Schema schema = head_rule("routing.signals.fact_check[]", "NamedRule",
                                         "needs_fact_check or no_fact_check_needed.");
  return schema;
}

const Schema& user_feedback_schema() {
  static const Schema schema =
      head_rule("routing.signals.user_feedbacks[]", "NamedRule",
                "satisfied, need_clarification, wrong_answer or want_different.");
  return schema;
}

// A list of rules of a later release: the names are kept, the rest is only checked for unknown keys.
Field later_kind(const Kind& kind) {
  Field field =
      known_list(kind.key, [&kind]() -> const Schema& { return known_schema(kind.schema); });
  field.doc = "Signals of a later release.";
  field.feature = fmt::format("signal {}", kind.type);
  field.read = [&kind](Reader& reader, const Field& self, const Node& node, void* object) {
    if (!reader.expect_sequence(node)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Reader::Scope scope(reader, i, node.items[i]);
      self.nested().read(reader, node.items[i], nullptr);
      const auto name = node.items[i].text("name");
      if (name.empty()) reader.error("missing-key", node.items[i].mark, "key 'name' is missing");
      static_cast<Signals*>(object)->unsupported.push_back(
          {std::string(kind.type), std::string(name)});
    }
  };
  return field;
}

}  // namespace

const Schema& predicate_schema() {
  using P = NumericPredicate;
  static const Schema schema{
      .name = "predicate",
      .fields = {row<&P::gt>("gt", "Greater than."), row<&P::gte>("gte", "At least."),
                 row<&P::lt>("lt", "Less than."), row<&P::lte>("lte", "At most.")}};
  return schema;
}

const Schema& signals_schema() {
  using S = Signals;
  static const Schema schema = [] {
    Schema built{
        .name = "routing.signals",
        .fields = {
            list<&S::keywords>("keywords", keyword_schema, "Words in the prompt."),
            list<&S::embeddings>("embeddings", embedding_schema, "Nearness to example texts."),
            list<&S::domains>("domains", domain_schema,
                              "Subject of the prompt, by the classifier."),
            list<&S::languages>("language", language_schema, "Language of the prompt."),
            list<&S::contexts>("context", context_schema, "Length of the request."),
            list<&S::structures>("structure", structure_schema, "Form of the prompt."),
            list<&S::conversations>("conversation", conversation_schema,
                                    "Form of the conversation."),
            list<&S::metadata>("metadata", metadata_schema, "Metadata of the request."),
            list<&S::role_bindings>("role_bindings", role_binding_schema,
                                    "Who asks, from identity headers of trusted peers."),
            list<&S::jailbreaks>("jailbreak", jailbreak_schema,
                                 "Attempts to talk the model out of its rules."),
            list<&S::pii>("pii", pii_schema, "Personal data in the prompt."),
            list<&S::complexities>("complexity", complexity_schema,
                                   "How much reasoning the prompt needs."),
            list<&S::fact_checks>("fact_check", fact_check_schema,
                                  "Whether an answer would be worth checking."),
            list<&S::user_feedbacks>("user_feedbacks", user_feedback_schema,
                                     "What the user thinks of the last answer.")}};
    for (const auto& kind : kKinds) {
      if (!kind.schema.empty()) built.fields.push_back(later_kind(kind));
    }
    return built;
  }();
  return schema;
}

std::string_view leaf_type_of(std::string_view signals_key) {
  const auto found = std::ranges::find(kKinds, signals_key, &Kind::key);
  return found == kKinds.end() ? std::string_view() : found->type;
}

}  // namespace signalbox::config
