#include "config/router/convert.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/tables/endpoint.h"

namespace signalbox::config {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr std::array<std::string_view, 8> kModelTypes = {
    "chat", "completion", "embeddings", "rerank", "score", "transcription", "vision", "messages"};

std::unexpected<Error> bad(std::string_view flag, std::string_view what, std::string_view remedy) {
  return fail(Code::kInvalidArgument, fmt::format("--{}: {}; {}", flag, what, remedy),
              std::string(flag));
}

// The flags of one router being laid on a configuration.
class Converter {
 public:
  Converter(const RouterArguments& flags, const Environment& environment, Config& config,
            std::vector<Finding>& warnings)
      : flags_(flags), environment_(environment), config_(config), warnings_(warnings) {}

  Result<void> run() {
    SBX_CHECK_OK(listening());
    SBX_CHECK_OK(engines());
    SBX_CHECK_OK(aliases());
    SBX_CHECK_OK(routing());
    SBX_CHECK_OK(health());
    SBX_CHECK_OK(observing());
    files();
    // Automatic names ask for a decision.
    if (config_.routing.decisions.empty() && config_.entrypoints.empty())
      config_.auto_model_names.clear();
    hand_on();
    say_unsupported();
    return {};
  }

 private:
  bool given(std::string_view flag) const { return flags_.given(flag); }
  void warn(std::string_view flag, std::string message, std::string remedy = {}) {
    Finding finding;
    finding.severity = Severity::kWarning;
    finding.code = "router-flag";
    finding.path = fmt::format("--{}", flag);
    finding.message = std::move(message);
    finding.remedy = std::move(remedy);
    warnings_.push_back(std::move(finding));
  }

  // A variable of our own: the flags are the reference's, and a secret has no place among them.
  void hand_on() {
    HandOn& own = config_.own.hand_on;
    if (!own.secret.empty()) return;
    const std::string secret = environment_("SIGNALBOX_HAND_ON_SECRET").value_or("");
    if (secret.empty()) return;
    own.secret_env = "SIGNALBOX_HAND_ON_SECRET";
    if (secret.size() >= kHandOnSecretBytesMin) {
      own.secret = Secret(secret);
    } else {
      warn("hand-on", fmt::format("SIGNALBOX_HAND_ON_SECRET has less than {} bytes and is not used",
                                  kHandOnSecretBytesMin));
    }
  }

  Result<void> positive(std::string_view flag) {
    if (flags_.integer(flag) > 0) return {};
    return bad(flag, "it must be greater than 0", "give a number of seconds");
  }
  milliseconds seconds_of(std::string_view flag) const {
    return milliseconds(flags_.integer(flag) * 1000);
  }

  Result<void> listening() {
    auto& http = config_.own.http;
    if (given("host") || !given("config")) http.address = flags_.text("host");
    if (http.address == "localhost") http.address = "127.0.0.1";
    const auto port = flags_.integer("port");
    if (port < 0 || port > 65535) return bad("port", "it is no port", "give one from 0 to 65535");
    if (given("port") || !given("config")) http.port = static_cast<std::uint16_t>(port);
    if (given("root-path")) config_.own.root_path = flags_.text("root-path");
    auto& root = config_.own.root_path;
    while (root.ends_with('/')) root.pop_back();
    if (!root.empty() && !root.starts_with('/')) root.insert(0, "/");
    // Metrics are on the same door, as there.
    config_.own.admin.enabled = given("metrics-port");
    return {};
  }

  Result<void> engines() {
    const std::string discovery(trim(flags_.text("service-discovery")));
    if (discovery == "static") return static_engines();
    if (discovery == "k8s") return kubernetes();
    if (discovery == "external-only" || given("external-providers-config")) return {};
    if (given("config")) return {};
    return bad("service-discovery", "it is required",
               "give static with --static-backends, k8s, or external-only");
  }

  Result<std::vector<std::string>> column(std::string_view flag, std::size_t rows) {
    auto values = flags_.list(flag);
    if (values.empty() || values.size() == rows) return values;
    return bad(flag,
               fmt::format("it has {} entries and --static-backends has {}", values.size(), rows),
               "give one for each backend, in the same order");
  }

  Result<void> static_engines() {
    const auto urls = flags_.list("static-backends");
    if (urls.empty()) {
      return bad("static-backends", "it is required with --service-discovery static",
                 "give the URLs of the engines, separated by commas");
    }
    SBX_TRY(const auto models, column("static-models", urls.size()));
    SBX_TRY(const auto types, column("static-model-types", urls.size()));
    SBX_TRY(const auto labels, column("static-model-labels", urls.size()));
    for (const std::string& type : types) SBX_CHECK_OK(known_type(type));
    const bool real = flags_.on("static-backend-health-checks");
    if (real && types.empty()) {
      return bad("static-backend-health-checks", "it needs --static-model-types",
                 "say the kind of each model");
    }
    for (std::size_t i = 0; i < urls.size(); ++i) {
      SBX_TRY(BackendRef backend, backend_of(urls[i]));
      backend.name = fmt::format("backend-{}", i + 1);
      backend.label = i < labels.size() ? labels[i] : std::string();
      if (real && i < types.size()) backend.health_request = types[i];
      if (models.empty()) {
        config_.providers.engines.push_back(std::move(backend));
      } else if (models[i].empty()) {
        return bad("static-models", fmt::format("entry {} is empty", i + 1), "name its model");
      } else {
        model_named(models[i]).backends.push_back(std::move(backend));
      }
    }
    return {};
  }

  Result<void> known_type(const std::string& type) {
    if (type.empty() || std::ranges::find(kModelTypes, type) != kModelTypes.end()) return {};
    const auto meant = did_you_mean(type, kModelTypes);
    return bad("static-model-types", fmt::format("'{}' is no kind of model", type),
               meant ? fmt::format("did you mean {}?", *meant)
                     : "use chat, completion, embeddings, rerank, score, transcription, vision or "
                       "messages");
  }

  Result<BackendRef> backend_of(const std::string& url) {
    auto address = parse_address(url);
    if (!address || address->scheme.empty()) {
      return bad("static-backends", fmt::format("'{}' is not the URL of an engine", url),
                 "write http://host:port, IPv6 in brackets");
    }
    BackendRef backend;
    backend.scheme = address->scheme;
    backend.host = std::move(address->host);
    backend.port = address->port != 0          ? address->port
                   : backend.scheme == "https" ? kHttpsPort
                                               : kHttpPort;
    backend.base_path = std::move(address->path);
    // Clients bring the engines' key themselves; our own questions need one too.
    const Secret key(environment_("VLLM_API_KEY").value_or(""));
    if (config_.own.access.keys.empty()) {
      backend.probe_key = key;
    } else {
      backend.api_key = key;
    }
    return backend;
  }

  Model& model_named(const std::string& name) {
    auto& models = config_.providers.models;
    const auto at = std::ranges::find(models, name, &Model::name);
    if (at != models.end()) {
      at->has_provider = true;
      return *at;
    }
    models.push_back({});
    models.back().name = name;
    models.back().has_provider = true;
    return models.back();
  }

  Result<void> kubernetes() {
    auto& kubernetes = config_.own.discovery.kubernetes;
    kubernetes.enabled = true;
    const std::string by(trim(flags_.text("k8s-service-discovery-type")));
    kubernetes.by = by.empty() ? "pod-ip" : by;
    kubernetes.name_space = flags_.text("k8s-namespace");
    kubernetes.label_selector = flags_.text("k8s-label-selector");
    const auto port = flags_.integer("k8s-port");
    if (port < 1 || port > 65535) return bad("k8s-port", "it is no port", "give one to 65535");
    kubernetes.port = static_cast<std::uint16_t>(port);
    kubernetes.watch_timeout = seconds_of("k8s-watcher-timeout-seconds");
    warn("service-discovery",
         "k8s is not supported yet: the router starts and finds no engines by itself",
         "use static, or --config with signalbox.discovery.dns and a headless Service");
    return {};
  }

  Result<void> aliases() {
    for (const std::string& pair : flags_.list("static-aliases")) {
      if (pair.empty()) continue;
      const auto colon = pair.find(':');
      if (colon == 0 || colon == std::string::npos || colon + 1 == pair.size()) {
        return bad("static-aliases", fmt::format("'{}' is not alias:model", pair),
                   "write alias:model,alias2:model2");
      }
      config_.providers.aliases[pair.substr(0, colon)] = pair.substr(colon + 1);
    }
    return {};
  }

  Result<void> routing() {
    const std::string logic(trim(flags_.text("routing-logic")));
    if (logic.empty() && given("config")) return {};
    if (logic.empty()) {
      return bad("routing-logic", "it is required",
                 "give roundrobin, session, prefixaware or auto; auto takes all into account");
    }
    SBX_CHECK_OK(session(logic));
    config_.own.balancer.policy = policy_of(logic);
    SBX_CHECK_OK(kv_aware(logic));
    if (logic.starts_with("disaggregated_prefill")) SBX_CHECK_OK(disaggregated(logic));
    if (given("max-instance-failover-reroute-attempts")) {
      const auto extra = flags_.integer("max-instance-failover-reroute-attempts");
      if (extra < 0) {
        return bad("max-instance-failover-reroute-attempts", "it is below 0", "give 0 or more");
      }
      config_.own.retry.attempts_max =
          static_cast<int>(std::min<std::int64_t>(extra + 1, limits::kAttemptsMax));
    }
    return {};
  }

  Result<void> session(const std::string& logic) {
    const std::string key = flags_.text("session-key");
    if (logic == "session" && key.empty()) {
      return bad("session-key", "it is required with --routing-logic session",
                 "name the header that tells sessions apart");
    }
    if (key.empty()) return {};
    config_.own.balancer.session_header = key;
    config_.own.balancer.session_body_field = key;
    return {};
  }

  BalancerPolicy policy_of(const std::string& logic) {
    if (logic == "roundrobin" || logic == "round_robin") return BalancerPolicy::kRoundRobin;
    if (logic == "session" || logic == "session_md5") return BalancerPolicy::kSessionMd5;
    if (logic == "least_load") return BalancerPolicy::kLeastLoad;
    if (logic == "power_of_two") return BalancerPolicy::kPowerOfTwo;
    if (logic == "load_aware") return BalancerPolicy::kLoadAware;
    if (logic == "prefixaware" || logic == "prefix_aware") return BalancerPolicy::kPrefixAware;
    if (logic == "kvaware" || logic == "kv_aware") return BalancerPolicy::kKvAware;
    return BalancerPolicy::kAuto;
  }

  // As the replaced router: a socket on all addresses; without a port it is not open. A file of --config keeps its own.
  Result<std::string> lmcache_socket(std::string_view flag, const std::string& own) {
    if (given("config") && !given(flag)) return own;
    if (flags_.text(flag).empty()) return std::string();
    const auto port = flags_.integer(flag);
    if (port < 1 || port > 65535) return bad(flag, "it is no port", "give one from 1 to 65535");
    return fmt::format("tcp://*:{}", port);
  }

  Result<void> lmcache_times() {
    auto& lmcache = config_.own.lmcache;
    if (given("lmcache-worker-timeout")) {
      SBX_CHECK_OK(positive("lmcache-worker-timeout"));
      lmcache.worker_timeout = seconds_of("lmcache-worker-timeout");
    }
    if (!given("lmcache-health-check-interval")) return {};
    if (flags_.integer("lmcache-health-check-interval") > 0) {
      lmcache.check_interval = seconds_of("lmcache-health-check-interval");
    } else {
      lmcache.worker_timeout = std::chrono::hours(24);  // nobody is looked for there
    }
    return {};
  }

  // LMCache's controller, which the replaced router is with kvaware only; and what engines say themselves.
  Result<void> kv_aware(const std::string& logic) {
    const bool wanted = logic == "kvaware" || logic == "kv_aware";
    const bool ports = given("lmcache-controller-port") || given("lmcache-controller-reply-port");
    if (!wanted && !ports) return {};
    if (!wanted && logic != "auto") {
      warn("lmcache-controller-port",
           fmt::format("--routing-logic {} does not ask what engines hold: no controller is opened",
                       logic),
           "use kvaware or auto");
      return {};
    }
    auto& lmcache = config_.own.lmcache;
    lmcache.enabled = true;
    SBX_TRY(lmcache.pull, lmcache_socket("lmcache-controller-port", lmcache.pull));
    SBX_TRY(lmcache.reply, lmcache_socket("lmcache-controller-reply-port", lmcache.reply));
    SBX_TRY(lmcache.heartbeat,
            lmcache_socket("lmcache-controller-heartbeat-port", lmcache.heartbeat));
    SBX_CHECK_OK(lmcache_times());
    if (wanted) config_.own.kv_events.enabled = true;
    if (lmcache.reply.empty()) {
      warn("lmcache-controller-reply-port",
           "it is not open, and workers of LMCache 0.5 cannot register without it",
           "give --lmcache-controller-reply-port and --lmcache-controller-heartbeat-port");
    }
    return {};
  }

  Result<void> disaggregated(const std::string& logic) {
    auto& settings = config_.own.disaggregated_prefill;
    settings.enabled = true;
    settings.transfer = logic == "disaggregated_prefill" ? KvTransfer::kLmcache : KvTransfer::kNixl;
    settings.tokens_min = 0;  // every prompt takes both halves there
    if (given("prefill-model-labels"))
      settings.prefill_labels = flags_.list("prefill-model-labels");
    if (given("decode-model-labels")) settings.decode_labels = flags_.list("decode-model-labels");
    if (flags_.text("service-discovery") != "static" || given("static-model-labels")) return {};
    return bad("static-model-labels", fmt::format("it is required with --routing-logic {}", logic),
               "give one label for each backend: one of --prefill-model-labels or of "
               "--decode-model-labels");
  }

  Result<void> health() {
    auto& health = config_.own.health;
    if (given("backend-health-check-timeout-seconds")) {
      SBX_CHECK_OK(positive("backend-health-check-timeout-seconds"));
      health.timeout = seconds_of("backend-health-check-timeout-seconds");
    }
    if (!flags_.on("static-backend-health-checks")) return {};
    SBX_CHECK_OK(positive("static-backend-health-check-interval"));
    SBX_CHECK_OK(positive("static-backend-health-check-timeout-seconds"));
    health.interval = seconds_of("static-backend-health-check-interval");
    health.timeout = seconds_of("static-backend-health-check-timeout-seconds");
    health.unhealthy_after = 1;
    return {};
  }

  Result<void> observing() {
    auto& metrics = config_.own.engine_metrics;
    SBX_CHECK_OK(positive("engine-stats-interval"));
    SBX_CHECK_OK(positive("request-stats-window"));
    // Load that is half a minute old is no load; the flag is a bound, not a wish for old figures.
    if (given("engine-stats-interval"))
      metrics.interval = std::min(seconds_of("engine-stats-interval"), metrics.interval);
    if (given("request-stats-window")) metrics.window = seconds_of("request-stats-window");
    if (flags_.on("log-stats")) {
      SBX_CHECK_OK(positive("log-stats-interval"));
      metrics.log_interval = seconds_of("log-stats-interval");
    }
    for (const std::string_view flag :
         {"sentry-traces-sample-rate", "sentry-profile-session-sample-rate"}) {
      if (flags_.number(flag) < 0 || flags_.number(flag) > 1)
        return bad(flag, "it is no share", "give a number from 0 to 1");
    }
    tracing();
    return {};
  }

  // The replaced router speaks OTLP over gRPC, this one over HTTP; collectors listen to both, on neighbouring ports.
  void tracing() {
    if (!given("otel-endpoint") || flags_.text("otel-endpoint").empty()) return;
    constexpr std::string_view kGrpcPort = ":4317";
    auto& tracing = config_.tracing;
    tracing.enabled = true;
    tracing.endpoint = flags_.text("otel-endpoint");
    tracing.service_name = flags_.text("otel-service-name");
    if (tracing.endpoint.ends_with(kGrpcPort)) {
      tracing.endpoint.replace(tracing.endpoint.size() - kGrpcPort.size(), kGrpcPort.size(),
                               ":4318");
      warn("otel-endpoint", fmt::format("traces go over HTTP: {} is used", tracing.endpoint),
           "name the collector's OTLP/HTTP port");
    }
    if (flags_.on("otel-secure") && tracing.endpoint.find("://") == std::string::npos)
      tracing.endpoint.insert(0, "https://");
  }

  void files() {
    if (!flags_.on("enable-batch-api")) return;
    config_.own.files.enabled = true;
    config_.own.batches.enabled = true;
    if (given("file-storage-path") || !given("config"))
      config_.own.files.directory = flags_.text("file-storage-path");
  }

  void say_unsupported() {
    for (const std::string_view flag : {"callbacks", "sentry-dsn", "semantic-cache-model",
                                        "semantic-cache-dir", "semantic-cache-threshold"}) {
      if (given(flag) && !flags_.text(flag).empty())
        warn(flag, "not supported yet: the flag has no effect");
    }
    for (const std::string& gate : flags_.list("feature-gates")) {
      if (gate.ends_with("=true"))
        warn("feature-gates", fmt::format("{} is not supported yet", gate));
    }
  }

  const RouterArguments& flags_;
  const Environment& environment_;
  Config& config_;
  std::vector<Finding>& warnings_;
};

}  // namespace

Config router_base() {
  Config config;
  config.auto_model_names.clear();
  config.own.http.address = "0.0.0.0";
  config.own.http.port = 8001;
  config.own.admin.enabled = false;
  config.own.access_log.enabled = false;
  config.own.routing_log.enabled = true;
  config.own.encoder.enabled = false;
  return config;
}

Result<void> apply_router_flags(const RouterArguments& flags, const Environment& environment,
                                Config& config, std::vector<Finding>& warnings) {
  return Converter(flags, environment, config, warnings).run();
}

}  // namespace signalbox::config
