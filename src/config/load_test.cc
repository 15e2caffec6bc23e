#include "config/load.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <map>

#include "base/environment.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/embedded_default.h"
#include "config/resolve.h"

namespace signalbox::config {
namespace {

using testing::HasSubstr;
using testing::Not;

LoadOptions with(std::map<std::string, std::string> variables) {
  return {.environment = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  }};
}

std::shared_ptr<const Config> loaded(std::string_view text, const LoadOptions& options = with({})) {
  auto result = load_text(text, "f.yaml", options);
  EXPECT_TRUE(result) << result.error().message;
  return result ? result->config : std::make_shared<const Config>();
}

std::string error_of(std::string_view text, const LoadOptions& options = with({})) {
  const auto result = load_text(text, "f.yaml", options);
  if (result) return "it loads";
  EXPECT_EQ(result.error().code, Code::kConfig);
  return result.error().message;
}

TEST(Load, EmbeddedDefaultIsTheFoundingScenario) {
  const auto result = load_text(embedded_default_yaml(), "examples/mom.yaml");
  ASSERT_TRUE(result) << result.error().message;
  const Config& config = *result->config;
  EXPECT_EQ(config.routing.decisions.size(), 15U);
  EXPECT_EQ(config.routing.signals.domains.size(), 14U);
  EXPECT_TRUE(config.own.sim.embedded);
  EXPECT_EQ(config.own.sim.replicas, 3);
  EXPECT_TRUE(result->findings.empty()) << to_text(result->findings, 10);
}

TEST(Load, UnknownKeyNamesLineAndWhatWasMeant) {
  EXPECT_THAT(
      error_of("version: v0.3\nsignalbox:\n  http:\n    porrt: 8080\n"),
      HasSubstr("f.yaml:4: signalbox.http.porrt: unknown key 'porrt'; did you mean 'port'?"));
  EXPECT_THAT(error_of("version: v0.3\nproviderz: {}\n"), HasSubstr("did you mean 'providers'?"));
}

TEST(Load, EveryProblemIsListedAtOnce) {
  const auto message = error_of(
      "signalbox:\n  io_threads: many\n  retry: {attempts_max: 99}\n  balancer: {policy: "
      "raund_robin}\n"
      "  sim: [1]\n");
  EXPECT_THAT(message, HasSubstr("f.yaml:2: signalbox.io_threads: 'many' is not a whole number"));
  EXPECT_THAT(message,
              HasSubstr(fmt::format("f.yaml:3: signalbox.retry.attempts_max: 99 is out of range; "
                                    "allowed is 1 to {}",
                                    limits::kAttemptsMax)));
  EXPECT_THAT(message, HasSubstr("did you mean 'round_robin'?"));
  EXPECT_THAT(message, HasSubstr("f.yaml:5: signalbox.sim: expected a map, found a list"));
}

TEST(Load, ListOfProblemsIsBounded) {
  std::string text = "signalbox:\n";
  for (int i = 0; i < 500; ++i) text += fmt::format("  wrong{}: 1\n", i);
  const auto message = error_of(text);
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'),
            static_cast<long>(limits::kConfigProblemsMax));
  EXPECT_THAT(message, HasSubstr("and 450 more"));
}

TEST(Load, WhatIsNotOneMapIsRefused) {
  EXPECT_THAT(error_of(""), HasSubstr("the file is empty"));
  EXPECT_THAT(error_of("- a\n- b\n"), HasSubstr("not a map"));
  EXPECT_THAT(error_of("version: v0.3\n---\nversion: v0.3\n"),
              HasSubstr("f.yaml:3: a second document"));
  EXPECT_THAT(error_of("version: v0.3\nversion: v0.3\n"),
              HasSubstr("f.yaml:2: key 'version' stands twice, first in line 1"));
  EXPECT_THAT(error_of("version: [v0.3\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(error_of("version: v0.2\n"), HasSubstr("allowed: v0.3"));
}

TEST(Load, AliasesWorkAndAliasBombsDoNot) {
  const auto config = loaded(
      "signalbox:\n  limits: &l {head_timeout: 7s}\n"
      "listeners: [{port: &p 9000}]\nproviders: {models: [{name: m, backend_refs: [{endpoint: "
      "\"h:1\", weight: *p}]}]}\n");
  EXPECT_EQ(config->providers.models.at(0).backends.at(0).weight, 9000);
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                        i - 1);
  }
  EXPECT_THAT(error_of(bomb), HasSubstr("once aliases are expanded"));
  EXPECT_THAT(error_of("a: &a [*a]\n"), HasSubstr("refers to itself"));
}

TEST(Load, DepthAndSizeAreBounded) {
  std::string deep = "a: ";
  for (int i = 0; i < 5000; ++i) deep += "[";
  EXPECT_THAT(error_of(deep), Not(HasSubstr("it loads")));
  std::string nested = "routing: {decisions: [{name: d, rules: ";
  for (int i = 0; i < 40; ++i) nested += "{operator: NOT, conditions: [";
  nested += "{type: keyword, name: k}";
  for (int i = 0; i < 40; ++i) nested += "]}";
  EXPECT_THAT(error_of(nested + "}]}"), HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(error_of("version: v0.3\n#" + std::string(limits::kConfigBytesMax, 'x')),
              HasSubstr("larger than"));
}

TEST(Load, MergeKeysFillWhatTheMapDoesNotSay) {
  const auto config = loaded(
      "providers:\n  models:\n    - &base {name: a, reasoning_family: f, api_format: openai}\n"
      "    - {<<: *base, name: b}\n  defaults: {reasoning_families: {f: {parameter: p}}}\n");
  EXPECT_EQ(config->providers.models.at(1).name, "b");
  EXPECT_EQ(config->providers.models.at(1).reasoning_family, "f");
}

TEST(Variables, AreReplacedAndMissingOnesNamedWithTheirLine) {
  const auto text =
      "providers:\n  models:\n    - name: m\n      backend_refs:\n"
      "        - {endpoint: \"${HOST}:${PORT:-8000}\", api_key: \"${KEY}\", weight: "
      "\"${WEIGHT}\"}\n";
  const auto config = loaded(text, with({{"HOST", "engine"}, {"KEY", "k1"}, {"WEIGHT", "7"}}));
  const auto& backend = config->providers.models.at(0).backends.at(0);
  EXPECT_EQ(backend.url(), "http://engine:8000");
  EXPECT_EQ(backend.api_key.reveal(), "k1");
  EXPECT_EQ(backend.weight, 7);
  EXPECT_THAT(error_of(text, with({{"HOST", "h"}, {"KEY", "k"}})),
              HasSubstr("f.yaml:5: providers.models[0].backend_refs[0].weight: environment "
                        "variable WEIGHT is not set"));
}

TEST(Variables, DollarDollarIsALiteral) {
  const auto config = loaded(
      "routing:\n  decisions:\n    - name: d\n      modelRefs: []\n      plugins:\n"
      "        - {type: system_prompt, configuration: {system_prompt: \"write $${x} or $5\"}}\n");
  EXPECT_EQ(config->routing.decisions.at(0).plugins.system_prompt->system_prompt,
            "write ${x} or $5");
}

TEST(Variables, NoErrorShowsASecret) {
  const auto message = error_of(
      "providers: {models: [{name: m, nmae: x, backend_refs: [{endpoint: \"h:x\", api_key: "
      "sk-hidden, aip_key: sk-hidden}]}]}\n");
  EXPECT_THAT(message, Not(HasSubstr("sk-hidden")));
}

TEST(References, NamesThatNothingDefinesAreErrorsWithASuggestion) {
  const std::string head =
      "providers: {defaults: {default_model: basemodel}, models: [{name: base-model, "
      "reasoning_family: qwen}]}\n"
      "routing:\n  modelCards: [{name: base-model, loras: [{name: math-expert}]}]\n"
      "  signals: {domains: [{name: math}]}\n  decisions:\n";
  const auto message =
      error_of(head +
               "    - {name: d, rules: {operator: OR, conditions: [{type: domain, name: maths}]},\n"
               "       modelRefs: [{model: math-exprt}]}\n"
               "    - {name: d, rules: {operator: OR, conditions: [{type: domian, name: math}]}}\n"
               "    - {name: e, rules: {operator: NOT, conditions: []}}\n");
  EXPECT_THAT(message, HasSubstr("NOT has 0 conditions, it takes exactly one"));
  const auto second =
      error_of(head +
               "    - {name: d, rules: {operator: OR, conditions: [{type: domain, name: maths}]},\n"
               "       modelRefs: [{model: math-exprt}]}\n"
               "    - {name: d, rules: {operator: OR, conditions: [{type: domian, name: math}]}}\n"
               "entrypoints: [{model_names: [x], recipe: none}]\n");
  EXPECT_THAT(
      second,
      HasSubstr(
          "f.yaml:1: providers.defaults.default_model: no model or adapter is called 'basemodel'; "
          "did you mean 'base-model'?"));
  EXPECT_THAT(second, HasSubstr("no reasoning family is called 'qwen'"));
  EXPECT_THAT(
      second,
      HasSubstr(
          "f.yaml:6: routing.decisions[0].rules.conditions[0]: no domain signal is called 'maths'; "
          "did you mean 'math'?"));
  EXPECT_THAT(
      second,
      HasSubstr("f.yaml:7: routing.decisions[0].modelRefs[0].model: no model or adapter is called "
                "'math-exprt'; did you mean 'math-expert'?"));
  EXPECT_THAT(second, HasSubstr("decision 'd' stands twice, first in line 6"));
  EXPECT_THAT(second, HasSubstr("did you mean 'domain'?"));
  EXPECT_THAT(second, HasSubstr("no recipe is called 'none'"));
}

TEST(References, TlsFilesComeInPairs) {
  EXPECT_THAT(error_of("signalbox: {http: {tls: {certificate_file: a.pem}}}"),
              HasSubstr("go together"));
}

TEST(Values, DurationsSizesAndTokensTakeUnits) {
  const auto config = loaded(
      "signalbox:\n  limits: {head_timeout: 250ms, idle_timeout: 2m, total_timeout: 1h30m, "
      "drain_timeout: 10,\n"
      "           body_bytes_max: 16M}\n"
      "routing: {signals: {context: [{name: long, min_tokens: 32K, max_tokens: 1M}]}}\n");
  EXPECT_EQ(config->own.limits.head_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(config->own.limits.idle_timeout, std::chrono::minutes(2));
  EXPECT_EQ(config->own.limits.total_timeout, std::chrono::minutes(90));
  EXPECT_EQ(config->own.limits.drain_timeout, std::chrono::seconds(10));
  EXPECT_EQ(config->own.limits.body_bytes_max, 16U << 20);
  EXPECT_EQ(config->routing.signals.contexts.at(0).min_tokens, 32'000);
  EXPECT_EQ(config->routing.signals.contexts.at(0).max_tokens, 1'000'000);
  EXPECT_THAT(error_of("signalbox: {limits: {head_timeout: 5 parsecs}}"),
              HasSubstr("is not a duration"));
  EXPECT_THAT(error_of("signalbox: {http: {port: 70000}}"), HasSubstr("allowed is 0 to 65535"));
}

TEST(Values, AddressesOfBackendsInEveryForm) {
  const auto backend = [](const std::string& row) {
    return loaded("providers: {models: [{name: m, backend_refs: [{" + row + "}]}]}")
        ->providers.models.at(0)
        .backends.at(0);
  };
  EXPECT_EQ(backend("endpoint: \"svc.ns:8000\"").url(), "http://svc.ns:8000");
  EXPECT_EQ(backend("endpoint: \"[fd00::1]:8000\"").url(), "http://[fd00::1]:8000");
  EXPECT_EQ(backend("endpoint: svc, protocol: https").url(), "https://svc:443");
  const auto openai = backend(
      "base_url: \"https://api.example.com/v1/\", provider: openai, chat_path: /chat/completions");
  EXPECT_EQ(openai.url(), "https://api.example.com:443");
  EXPECT_EQ(openai.chat_path, "/v1/chat/completions");
  EXPECT_EQ(openai.auth_header, "Authorization");
  EXPECT_EQ(openai.auth_prefix, "Bearer");
  const auto anthropic = backend("base_url: \"https://api.example.com\", provider: anthropic");
  EXPECT_EQ(anthropic.auth_header, "x-api-key");
  EXPECT_EQ(anthropic.auth_prefix, "");
  const auto other = backend("base_url: \"https://h/v1beta/openai\"");
  EXPECT_EQ(other.base_path + other.chat_path, "/v1beta/openai/chat/completions");
  for (const auto* wrong : {"h:", "fd00::1", "ftp://h", "user@h:1", "h:0", "h:99999", ":80"}) {
    EXPECT_THAT(
        error_of(fmt::format(
            "providers: {{models: [{{name: m, backend_refs: [{{endpoint: \"{}\"}}]}}]}}", wrong)),
        HasSubstr("is not an address"))
        << wrong;
  }
}

TEST(Aliases, PublishedSpellingsMeanTheSame) {
  for (const auto* type :
       {"semantic-cache", "semantic_cache", "response-cache", "response_cache"}) {
    const auto config =
        loaded(fmt::format("routing: {{decisions: [{{name: d, plugins: [{{type: {}, configuration: "
                           "{{semantic: {{similarity_threshold: 0.9}}}}}}]}}]}}",
                           type));
    ASSERT_TRUE(config->routing.decisions.at(0).plugins.response_cache) << type;
    EXPECT_EQ(config->routing.decisions.at(0).plugins.response_cache->similarity_threshold, 0.9);
  }
  const auto config = loaded(
      "routing: {signals: {keywords: [{name: k, keywords: [x]}]},\n"
      "  decisions: [{name: d, rules: {type: keyword, rule_name: k}}]}");
  EXPECT_EQ(config->routing.decisions.at(0).rules.name, "k");
  EXPECT_THAT(error_of("routing: {signals: {keywords: [{name: k, category: l, keywords: [x]}]}}"),
              HasSubstr("given twice"));
}

TEST(Listeners, FirstOneSetsTheHttpDoorOnlyWhenOurBlockDoesNot) {
  const auto first =
      loaded("listeners: [{address: 127.0.0.1, port: 8899, timeout: 300s}, {port: 1}]");
  EXPECT_EQ(first->own.http.address, "127.0.0.1");
  EXPECT_EQ(first->own.http.port, 8899);
  EXPECT_EQ(first->own.limits.total_timeout, std::chrono::seconds(300));
  const auto own = loaded(
      "listeners: [{port: 8899, timeout: 300s}]\nsignalbox: {http: {port: 8080}, limits: "
      "{total_timeout: 9s}}");
  EXPECT_EQ(own->own.http.port, 8080);
  EXPECT_EQ(own->own.limits.total_timeout, std::chrono::seconds(9));
}

TEST(Global, NamesHeadersAndTracingReachTheConfig) {
  const auto config = loaded(
      "global:\n  router: {auto_model_name: mine, strategy: confidence, skip_processing: {enabled: "
      "true}}\n"
      "  services:\n    authz: {identity: {user_id_header: x-user}}\n"
      "    observability: {tracing: {enabled: true, exporter: {endpoint: \"o:4318\"}, sampling: "
      "{type: probabilistic, rate: 0.5}}}\n"
      "  model_catalog: {modules: {classifier: {domain: {threshold: 0.4, fallback_category: "
      "other}}}}\n"
      "signalbox: {user_groups_header: x-groups}\n");
  EXPECT_THAT(config->auto_model_names,
              testing::ElementsAre("vllm-sr/auto", "auto", "MoM", "mine"));
  EXPECT_EQ(config->routing.strategy, Strategy::kConfidence);
  EXPECT_TRUE(config->skip_processing);
  EXPECT_EQ(config->own.user_id_header, "x-user");
  EXPECT_EQ(config->own.user_groups_header, "x-groups");
  EXPECT_EQ(config->tracing.endpoint, "o:4318");
  EXPECT_EQ(config->tracing.sampling_rate, 0.5);
  EXPECT_EQ(config->domain_threshold, 0.4);
  EXPECT_EQ(config->domain_fallback_category, "other");
}

TEST(Global, ClassifiersOfTheUsersOwnReachTheConfigWithTheirLine) {
  const auto loaded = load_text(
      "version: v0.3\n"
      "global:\n"
      "  model_catalog:\n"
      "    modules:\n"
      "      prompt_guard:\n"
      "        model_id: /models/guard\n"
      "        positive_labels: [INJECTION]\n"
      "        threshold: 0.7\n"
      "      classifier:\n"
      "        domain: {model_id: /models/domain, category_mapping_path: /models/labels.json}\n"
      "        pii: {model_id: /models/pii}\n"
      "      hallucination_mitigation: {enabled: false, fact_check: {model_id: /models/facts}}\n"
      "      feedback_detector: {model_id: /models/feedback}\n",
      "t.yaml");
  ASSERT_TRUE(loaded);
  const HubModels& models = loaded->config->hub_models;
  EXPECT_EQ(models.prompt_guard.model_id, "/models/guard");
  EXPECT_EQ(models.prompt_guard.line, 6);
  EXPECT_EQ(models.prompt_guard.positive_labels, std::vector<std::string>{"INJECTION"});
  EXPECT_EQ(models.prompt_guard.threshold, 0.7);
  EXPECT_EQ(models.domain.mapping_path, "/models/labels.json");
  EXPECT_EQ(models.domain.line, 10);
  EXPECT_EQ(models.pii.model_id, "/models/pii");
  EXPECT_EQ(models.fact_check.model_id, "/models/facts");
  EXPECT_EQ(models.feedback.model_id, "/models/feedback");
}

TEST(Signals, RulesThatJudgeByExamplesNeedThem) {
  const auto load = [](const std::string& rule) {
    return load_text("version: v0.3\nrouting:\n  signals:\n" + rule, "t.yaml");
  };
  const auto loaded = load(
      "    jailbreak:\n"
      "      - {name: a, method: hybrid, include_history: true, jailbreak_patterns: [x, y], "
      "benign_patterns: [z]}\n"
      "    complexity:\n"
      "      - {name: c, hard: {candidates: [prove]}, easy: {candidates: [hello, bye]}}\n");
  ASSERT_TRUE(loaded);
  const Signals& signals = loaded->config->routing.signals;
  EXPECT_EQ(signals.jailbreaks[0].method, HeadRule::Method::kHybrid);
  EXPECT_TRUE(signals.jailbreaks[0].include_history);
  EXPECT_EQ(signals.jailbreaks[0].positive_examples.size(), 2U);
  EXPECT_EQ(signals.complexities[0].negative_examples.size(), 2U);
  EXPECT_FALSE(load("    jailbreak: [{name: a, method: contrastive}]\n"));
  EXPECT_FALSE(load("    jailbreak: [{name: a, method: guess}]\n"));
  EXPECT_FALSE(load("    complexity: [{name: c, hard: {candidates: [prove]}}]\n"));
}

TEST(Names, AdapterOfAServedModelWinsOverACardWithoutProvider) {
  const auto config = loaded(
      "providers: {defaults: {default_model: general-expert},\n"
      "  models: [{name: base-model, provider_model_id: real, external_model_ids: {openai: "
      "alias}}]}\n"
      "routing: {modelCards: [{name: base-model, loras: [{name: general-expert}]}, {name: "
      "general-expert}]}");
  const auto target = resolve_name(*config, config->providers.default_model);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->model->name, "base-model");
  EXPECT_EQ(target->upstream_name(), "general-expert");
  EXPECT_EQ(resolve_name(*config, "base-model")->upstream_name(), "real");
  EXPECT_EQ(resolve_name(*config, "alias")->model->name, "base-model");
  EXPECT_FALSE(resolve_name(*config, "nobody"));
  EXPECT_FALSE(resolve_name(*config, ""));
  ModelRef ref;
  ref.model = "base-model";
  ref.lora_name = "x";
  EXPECT_EQ(resolve_ref(*config, ref)->upstream_name(), "x");
}

TEST(Helm, OnlyOurBlockIsReadFromBesideConfig) {
  const auto result = load_text(
      "image: {tag: x}\nsignalbox: {http: {port: 1234}}\nconfig: {version: v0.3}\n", "f.yaml");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->config->own.http.port, 1234);
  ASSERT_EQ(result->findings.size(), 1U);
  EXPECT_EQ(result->findings[0].severity, Severity::kNote);
  EXPECT_THAT(result->findings[0].message, HasSubstr("image"));
  EXPECT_THAT(error_of("signalbox: {}\nconfig: {signalbox: {http: {port: 1}}}\n"),
              HasSubstr("keep one"));
  EXPECT_THAT(error_of("routing: {}\nconfig: {version: v0.3}\n"),
              HasSubstr("'routing' stands beside config"));
  EXPECT_THAT(error_of("config: {version: v0.3, signalbox: {io_thread: 1}}"),
              HasSubstr("f.yaml:1: config.signalbox.io_thread: unknown key"));
}

TEST(Generations, KeyOfAnOlderOneInACanonicalFileGetsItsPlaceOfToday) {
  EXPECT_THAT(error_of("version: v0.3\nkeyword_rules: []\n"),
              HasSubstr("'keyword_rules' belongs to an older generation; in v0.3 it is "
                        "routing.signals.keywords"));
}

TEST(Generations, TypingErrorsInOlderOnesNameTheKeyAsWritten) {
  EXPECT_THAT(
      error_of("decisions: [{name: d, priorty: 1}]\n"),
      HasSubstr("f.yaml:1: decisions[0].priorty: unknown key 'priorty'; did you mean 'priority'?"));
  EXPECT_THAT(error_of("decisions: []\ndefault_modle: x\n"),
              HasSubstr("did you mean 'default_model'?"));
  EXPECT_THAT(
      error_of("categories: [{name: math, sytem_prompt: x, model_scores: [{model: m, scor: 1}]}]\n"
               "model_config: {m: {reasoning_famly: q}}\n"),
      testing::AllOf(HasSubstr("categories[0].sytem_prompt: unknown key"),
                     HasSubstr("did you mean 'score'?"),
                     HasSubstr("model_config.m.reasoning_famly: unknown key")));
  EXPECT_THAT(error_of("categories: [{name: math, model_scores: []}]\nkeyword_rules: [{category: "
                       "mth, keywords: [x]}]\n"),
              HasSubstr("no category is called 'mth'; did you mean 'math'?"));
}

TEST(Generations, EndpointsGoToTheModelsThatPreferThem) {
  const auto config = loaded(
      "decisions: []\nvllm_endpoints:\n  - {name: a, address: 10.0.0.1, port: 8000, weight: 2}\n"
      "  - {name: b, address: \"fd00::1\", port: 8001}\n"
      "model_config:\n  one: {preferred_endpoints: [b], access_key: k}\n  two: {}\n");
  ASSERT_EQ(config->providers.models.size(), 2U);
  ASSERT_EQ(config->providers.models[0].backends.size(), 1U);
  EXPECT_EQ(config->providers.models[0].backends[0].url(), "http://[fd00::1]:8001");
  EXPECT_EQ(config->providers.models[0].backends[0].api_key.reveal(), "k");
  ASSERT_EQ(config->providers.models[1].backends.size(), 2U);
  EXPECT_EQ(config->providers.models[1].backends[0].weight, 2);
  EXPECT_THAT(error_of("decisions: []\nmodel_config: {one: {preferred_endpoints: [c]}}\n"),
              HasSubstr("no endpoint is called 'c'"));
}

TEST(Later, FeatureIsNamedOnceAndOnlyWhenOn) {
  const auto count = [](std::string_view text) {
    const auto result = load_text(text, "f.yaml");
    EXPECT_TRUE(result) << result.error().message;
    return result ? result->findings.size() : 0;
  };
  EXPECT_EQ(count("global: {integrations: {tools: {enabled: true, top_k: 3}}}"), 1U);
  EXPECT_EQ(count("global: {integrations: {tools: {enabled: false}}}"), 0U);
  EXPECT_EQ(count("routing: {decisions: [{name: a, plugins: [{type: rag}]}, {name: b, plugins: "
                  "[{type: rag}]}]}"),
            1U);
  EXPECT_THAT(error_of("global: {integrations: {tools: {topk: 3}}}"),
              HasSubstr("did you mean 'top_k'?"));
  EXPECT_THAT(error_of("routing: {decisions: [{name: a, plugins: [{type: ragg}]}]}"),
              HasSubstr("did you mean 'rag'?"));
}

TEST(Later, ExhaustiveSampleOfV03LoadsWithNothingElseToSay) {
  const auto given = environment("SIGNALBOX_SHARED_DIR");
  const std::filesystem::path shared = given ? *given : SIGNALBOX_SOURCE_DIR "/../shared";
  const auto text =
      read_file(shared / "compat/semantic-router-config-exhaustive-v03.yaml", 8 << 20);
  if (!text) GTEST_SKIP() << "the published sample is not here: it is not part of the project";
  const auto result = load_text(*text, "f.yaml", with({}));
  ASSERT_TRUE(result) << result.error().message;
  for (const auto& finding : result->findings)
    EXPECT_EQ(finding.code, "not-supported-yet") << to_text(finding);
  EXPECT_GT(result->findings.size(), 50U);
}

// A letter more in any key of the founding file is found in its line.
RC_GTEST_PROP(Load, AnyMisspeltKeyIsFoundInItsLine, ()) {
  const std::string_view yaml = embedded_default_yaml();
  std::vector<std::size_t> colons;
  for (auto at = yaml.find(": "); at != std::string_view::npos; at = yaml.find(": ", at + 1)) {
    const auto line_start = yaml.rfind('\n', at) + 1;
    const auto line = yaml.substr(line_start, at - line_start);
    const bool text =
        line.find('#') != std::string_view::npos || line.find('"') != std::string_view::npos ||
        line.find_first_not_of(' ') >= 14 || line.find("qwen3") != std::string_view::npos;
    if (!text) colons.push_back(at);
  }
  const auto at = *rc::gen::elementOf(colons);
  std::string broken(yaml);
  broken.insert(at, "q");
  const auto line = std::count(broken.begin(), broken.begin() + static_cast<long>(at), '\n') + 1;
  const auto report = load_report(broken, "f.yaml");
  RC_ASSERT(report.config == nullptr);
  RC_ASSERT(
      std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
        return finding.line == line && finding.code == "unknown-key";
      }));
}

}  // namespace
}  // namespace signalbox::config
