#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "config/resolve.h"
#include "config/router/convert.h"
#include "config/router/dynamic.h"
#include "config/router/flags.h"

namespace signalbox::config {
namespace {

Result<RouterArguments> parse(const std::vector<std::string_view>& arguments) {
  return parse_router_arguments(arguments);
}

struct Converted {
  Config config;
  std::vector<Finding> warnings;
};

Result<Converted> convert(const std::vector<std::string_view>& arguments) {
  SBX_TRY(const auto flags, parse(arguments));
  Converted out{router_base(), {}};
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "VLLM_API_KEY") return "sk-engine";
    if (name == "SIGNALBOX_HAND_ON_SECRET") return "what both hops know";
    return std::nullopt;
  };
  SBX_CHECK_OK(apply_router_flags(flags, environment, out.config, out.warnings));
  return out;
}

std::vector<std::string_view> with(std::vector<std::string_view> more) {
  std::vector<std::string_view> all = {
      "--service-discovery", "static", "--static-backends", "http://a:8000,http://[::1]:9000/x",
      "--static-models",     "m,m",    "--routing-logic",   "roundrobin"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string error_of(const std::vector<std::string_view>& arguments) {
  const auto converted = convert(arguments);
  return converted ? "" : converted.error().message;
}

TEST(RouterFlags, EveryFlagOfTheReplacedRouterIsKnown) {
  for (const std::string_view name : {"host",
                                      "port",
                                      "root-path",
                                      "service-discovery",
                                      "k8s-service-discovery-type",
                                      "static-backends",
                                      "static-models",
                                      "static-aliases",
                                      "static-model-types",
                                      "static-model-labels",
                                      "static-backend-health-checks",
                                      "static-backend-health-check-interval",
                                      "static-backend-health-check-timeout-seconds",
                                      "k8s-port",
                                      "k8s-namespace",
                                      "k8s-label-selector",
                                      "k8s-watcher-timeout-seconds",
                                      "backend-health-check-timeout-seconds",
                                      "routing-logic",
                                      "lmcache-controller-port",
                                      "lmcache-controller-reply-port",
                                      "lmcache-controller-heartbeat-port",
                                      "lmcache-health-check-interval",
                                      "lmcache-worker-timeout",
                                      "kv-aware-threshold",
                                      "prefix-min-match-length",
                                      "session-key",
                                      "prefill-model-labels",
                                      "decode-model-labels",
                                      "max-instance-failover-reroute-attempts",
                                      "callbacks",
                                      "request-rewriter",
                                      "enable-batch-api",
                                      "file-storage-class",
                                      "file-storage-path",
                                      "batch-processor",
                                      "engine-stats-interval",
                                      "request-stats-window",
                                      "log-stats",
                                      "log-stats-interval",
                                      "dynamic-config-yaml",
                                      "dynamic-config-json",
                                      "feature-gates",
                                      "semantic-cache-model",
                                      "semantic-cache-dir",
                                      "semantic-cache-threshold",
                                      "log-level",
                                      "log-format",
                                      "sentry-dsn",
                                      "sentry-traces-sample-rate",
                                      "sentry-profile-session-sample-rate",
                                      "otel-endpoint",
                                      "otel-service-name",
                                      "otel-secure",
                                      "external-providers-config",
                                      "version"}) {
    EXPECT_NE(find_router_flag(name), nullptr) << name;
    std::string underscored(name);
    std::ranges::replace(underscored, '-', '_');
    EXPECT_EQ(find_router_flag(underscored), find_router_flag(name));
  }
}

TEST(RouterFlags, AreReadAsArgparseReadsThem) {
  const auto flags = parse(
      {"--port=8000", "--host", "::", "--log-st", "--port", "9000", "--static-models", "a, b,,c"});
  ASSERT_FALSE(flags) << "--log-st is short for two flags";
  const auto good = parse({"--port=8000", "--host", "::", "--port", "9000", "--log-stats-i=3",
                           "--static-models", "a, b,,c"});
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->integer("port"), 9000) << "the last one wins";
  EXPECT_EQ(good->text("host"), "::");
  EXPECT_EQ(good->integer("log-stats-interval"), 3);
  EXPECT_EQ(good->list("static-models"), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(good->integer("request-stats-window"), 60) << "a default";
  EXPECT_FALSE(good->given("request-stats-window"));
}

TEST(RouterFlags, TheSecretOfTheHopBeforeComesFromAVariable) {
  EXPECT_EQ(convert(with({}))->config.own.hand_on.secret.reveal(), "what both hops know");
}

TEST(RouterFlags, BackendsModelsLabelsAndTypesGoTogetherByPosition) {
  const auto converted = convert(
      with({"--static-model-labels", "prefill,decode", "--static-model-types", "chat,completion"}));
  ASSERT_TRUE(converted) << converted.error().message;
  const Model* model = converted->config.find_model("m");
  ASSERT_NE(model, nullptr);
  ASSERT_EQ(model->backends.size(), 2u);
  EXPECT_EQ(model->backends[0].url(), "http://a:8000");
  EXPECT_EQ(model->backends[1].host, "::1");
  EXPECT_EQ(model->backends[1].base_path, "/x");
  EXPECT_EQ(model->backends[1].label, "decode");
  EXPECT_EQ(model->backends[0].health_request, "") << "types alone ask nothing";
  EXPECT_EQ(model->backends[0].probe_key.reveal(), "sk-engine");
  EXPECT_TRUE(model->backends[0].api_key.empty()) << "clients bring their own";
}

TEST(RouterFlags, HealthChecksAskByTheKindOfTheModel) {
  const auto converted =
      convert(with({"--static-model-types", "chat,embeddings", "--static-backend-health-checks",
                    "--static-backend-health-check-interval", "7"}));
  ASSERT_TRUE(converted) << converted.error().message;
  EXPECT_EQ(converted->config.find_model("m")->backends[1].health_request, "embeddings");
  EXPECT_EQ(converted->config.own.health.interval, std::chrono::seconds(7));
  EXPECT_EQ(converted->config.own.health.unhealthy_after, 1);
}

TEST(RouterFlags, WithoutModelsEnginesAreAsked) {
  const auto converted = convert({"--service-discovery", "static", "--static-backends",
                                  "http://a:1", "--routing-logic", "auto"});
  ASSERT_TRUE(converted) << converted.error().message;
  EXPECT_EQ(converted->config.providers.engines.size(), 1u);
}

TEST(RouterFlags, AliasesStandForModels) {
  const auto converted = convert(with({"--static-aliases", "gpt-4:m,other:m"}));
  ASSERT_TRUE(converted) << converted.error().message;
  const auto target = resolve_name(converted->config, "gpt-4");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->model->name, "m");
  EXPECT_NE(error_of(with({"--static-aliases", "gpt-4"})).find("alias:model"), std::string::npos);
}

TEST(RouterFlags, LogicsMeanPolicies) {
  const auto policy = [](std::string_view logic) {
    auto arguments = with({"--session-key", "x-user-id"});
    arguments.push_back("--routing-logic");
    arguments.push_back(logic);
    const auto converted = convert(arguments);
    EXPECT_TRUE(converted) << logic;
    return converted->config.own.balancer.policy;
  };
  EXPECT_EQ(policy("roundrobin"), BalancerPolicy::kRoundRobin);
  EXPECT_EQ(policy("session"), BalancerPolicy::kSessionMd5);
  EXPECT_EQ(policy("prefixaware"), BalancerPolicy::kPrefixAware);
  EXPECT_EQ(policy("auto"), BalancerPolicy::kAuto);
  EXPECT_EQ(policy("least_load"), BalancerPolicy::kLeastLoad);
}

TEST(RouterFlags, FailoverIsObeyedAndOursWithoutIt) {
  EXPECT_EQ(convert(with({}))->config.own.retry.attempts_max, 3);
  EXPECT_EQ(convert(with({"--max-instance-failover-reroute-attempts", "0"}))
                ->config.own.retry.attempts_max,
            1);
  EXPECT_EQ(convert(with({"--max-instance-failover-reroute-attempts", "100"}))
                ->config.own.retry.attempts_max,
            limits::kAttemptsMax);
}

TEST(RouterFlags, WhatHasNoEffectIsSaidAloud) {
  const auto converted = convert(with({"--sentry-dsn", "x", "--callbacks", "a.b", "--feature-gates",
                                       "SemanticCache=true,PIIDetection=false"}));
  ASSERT_TRUE(converted);
  std::string all;
  for (const auto& warning : converted->warnings) all += to_text(warning) + "\n";
  for (const char* flag : {"--sentry-dsn", "--callbacks", "SemanticCache"})
    EXPECT_NE(all.find(flag), std::string::npos) << flag << " in\n" << all;
  EXPECT_EQ(all.find("PIIDetection"), std::string::npos);
}

TEST(RouterFlags, KvAwareOpensLmcachesController) {
  const auto lmcache = [](std::vector<std::string_view> extra) {
    const auto converted = convert(with(std::move(extra)));
    EXPECT_TRUE(converted) << converted.error().message;
    return converted->config.own.lmcache;
  };
  const auto plain = lmcache({"--routing-logic", "kvaware"});
  EXPECT_TRUE(plain.enabled);
  EXPECT_EQ(plain.pull, "tcp://*:9000");
  EXPECT_EQ(plain.reply, "") << "as there: not open without a port";
  EXPECT_EQ(plain.worker_timeout, std::chrono::seconds(30));
  const auto full =
      lmcache({"--routing-logic", "kvaware", "--lmcache-controller-port", "9100",
               "--lmcache-controller-reply-port", "9101", "--lmcache-controller-heartbeat-port",
               "9102", "--lmcache-worker-timeout", "7", "--lmcache-health-check-interval", "2"});
  EXPECT_EQ(full.pull, "tcp://*:9100");
  EXPECT_EQ(full.reply, "tcp://*:9101");
  EXPECT_EQ(full.heartbeat, "tcp://*:9102");
  EXPECT_EQ(full.worker_timeout, std::chrono::seconds(7));
  EXPECT_EQ(full.check_interval, std::chrono::seconds(2));
  EXPECT_TRUE(lmcache({"--routing-logic", "auto", "--lmcache-controller-port", "9100"}).enabled);
  EXPECT_FALSE(lmcache({"--routing-logic", "auto"}).enabled);
  EXPECT_FALSE(lmcache({"--lmcache-controller-port", "9100"}).enabled) << "round robin";
  EXPECT_NE(error_of(with({"--routing-logic", "kvaware", "--lmcache-controller-port", "99999"}))
                .find("no port"),
            std::string::npos);
}

TEST(RouterFlags, TracesGoToTheHttpPortOfTheCollector) {
  const auto converted = convert(with({"--otel-endpoint", "otel:4317", "--otel-secure"}));
  ASSERT_TRUE(converted);
  EXPECT_EQ(converted->config.tracing.endpoint, "https://otel:4318");
  EXPECT_TRUE(converted->config.tracing.enabled);
}

TEST(DynamicFile, YamlMapsSpreadOverTheLists) {
  const auto file = read_dynamic_file(R"(
routing_logic: session
static_models:
  a: {static_backends: [http://x:1, http://y:2], static_model_type: chat}
  b: {static_backends: [http://z:3]}
static_aliases: {short: a}
k8s_port: 9000
)",
                                      "f.yaml");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->values.text("static-backends"), "http://x:1,http://y:2,http://z:3");
  EXPECT_EQ(file->values.list("static-models"), (std::vector<std::string>{"a", "a", "b"}));
  EXPECT_EQ(file->values.list("static-model-types"),
            (std::vector<std::string>{"chat", "chat", ""}));
  EXPECT_EQ(file->values.text("static-aliases"), "short:a");
  EXPECT_EQ(file->values.integer("k8s-port"), 9000);
  EXPECT_NE(file->json.find(R"("routing_logic":"session")"), std::string::npos);
}

TEST(DynamicFile, JsonHasTheTextsOfTheFlags) {
  const auto file = read_dynamic_file(
      R"({"static_backends": "http://x:1,http://y:2", "static_backend_health_checks": true,
          "static_models": ["a", "b"], "callbacks": null})",
      "f.json");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->values.text("static-models"), "a,b");
  EXPECT_TRUE(file->values.on("static-backend-health-checks"));
  EXPECT_FALSE(file->values.given("callbacks"));
}

TEST(DynamicFile, MistakesNameFileLineKeyAndRemedy) {
  for (const auto& [text, words] : std::vector<std::pair<const char*, std::vector<const char*>>>{
           {"a: 1\nrouting_logik: x\n", {"f.yaml:1", "a"}},
           {"routing_logik: x\n", {"f.yaml:1", "routing_logik", "routing_logic"}},
           {"k8s_port: many\n", {"f.yaml:1", "k8s_port", "whole number"}},
           {"static_models:\n  a: {}\n", {"f.yaml:2", "static_models.a", "static_backends"}},
           {"- 1\n", {"f.yaml", "not a map"}}}) {
    const auto file = read_dynamic_file(text, "f.yaml");
    ASSERT_FALSE(file) << text;
    for (const char* word : words)
      EXPECT_NE(file.error().message.find(word), std::string::npos) << file.error().message;
  }
}

TEST(DynamicFile, WinsWhereTheReplacedRouterReadsItAgainAndElsewhereTheCommandLineDoes) {
  const auto line = parse({"--routing-logic", "roundrobin", "--port", "1", "--static-backends",
                           "http://a:1", "--static-models", "m"});
  const auto file = read_dynamic_file(
      "routing_logic: session\nport: 2\nlog_stats: true\nstatic_backends: http://b:1,http://c:1\n",
      "f");
  const auto merged = with_dynamic(*line, file->values);
  EXPECT_EQ(merged.text("routing-logic"), "session");
  EXPECT_EQ(merged.integer("port"), 1);
  EXPECT_TRUE(merged.on("log-stats"));
  EXPECT_FALSE(merged.given("static-models")) << "they belonged to the other backends";
}

TEST(ExternalProviders, BecomeModelsWithKeysOfTheirOwn) {
  Config config = router_base();
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "KEY" ? std::optional<std::string>("sk") : std::nullopt;
  };
  const char* text = R"(external_providers:
  - {name: p, type: openai, api_base: "https://host/v1", api_key_env_var: KEY, max_retries: 2,
     custom_headers: {x-a: b}, models: [{id: big, aliases: [best]}, {id: small}]}
)";
  const auto added = add_external_providers(text, "p.yaml", environment, config);
  ASSERT_TRUE(added) << added.error().message;
  const Model* big = config.find_model("big");
  ASSERT_NE(big, nullptr);
  EXPECT_EQ(big->backends[0].url(), "https://host:443");
  EXPECT_EQ(big->backends[0].api_key.reveal(), "sk");
  EXPECT_EQ(*big->reliability.retry_count, 2);
  EXPECT_EQ(config.providers.aliases.at("best"), "big");
  Config other = router_base();
  const auto refused = add_external_providers(
      "external_providers: [{name: p, api_base: https://h, api_key_env_var: NONE, models: [{id: "
      "a}]}]",
      "p.yaml", environment, other);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("NONE is not set"), std::string::npos);
}

}  // namespace
}  // namespace signalbox::config
