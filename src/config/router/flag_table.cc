// The table of flags. Names, kinds and defaults are those of the router that is replaced; where a default is ours, the help
// says so.
#include <array>

#include "config/router/flags.h"

namespace signalbox::config {
namespace {

using enum FlagKind;

constexpr std::string_view kListen = "Listening";
constexpr std::string_view kEngines = "Engines";
constexpr std::string_view kKubernetes = "Kubernetes";
constexpr std::string_view kHealth = "Health of engines";
constexpr std::string_view kRouting = "Routing";
constexpr std::string_view kKv = "KV-aware routing";
constexpr std::string_view kDisaggregated = "Disaggregated prefill";
constexpr std::string_view kBatch = "Files and batches";
constexpr std::string_view kObserve = "Logs, metrics and traces";
constexpr std::string_view kFiles = "Configuration files";
constexpr std::string_view kExtend = "Extensions of the replaced router";
constexpr std::string_view kOwn = "Signalbox";

constexpr std::string_view kLogics =
    "roundrobin|session|kvaware|prefixaware|disaggregated_prefill|"
    "disaggregated_prefill_orchestrated|auto|round_robin|least_load|power_of_two|session_md5|"
    "prefix_aware|load_aware";

constexpr auto kTable = std::to_array<RouterFlag>({
    {"host", kText, kListen, "0.0.0.0", "", "address to listen on; :: takes IPv4 too"},
    {"port", kInteger, kListen, "8001", "", "port to listen on; 0 takes a free one"},
    {"root-path", kText, kListen, "", "", "prefix below which everything answers too"},

    {"service-discovery", kText, kEngines, "", "static|k8s|external-only",
     "where engines come from"},
    {"static-backends", kText, kEngines, "", "", "URLs of engines, separated by commas"},
    {"static-models", kText, kEngines, "", "",
     "model of each backend; without it engines are asked"},
    {"static-aliases", kText, kEngines, "", "", "alias:model pairs, separated by commas"},
    {"static-model-types", kText, kEngines, "", "",
     "kind of each model: chat, completion, embeddings, rerank, score, transcription, vision, "
     "messages"},
    {"static-model-labels", kText, kEngines, "", "", "label of each backend"},
    {"external-providers-config", kText, kEngines, "", "", "YAML file of hosted providers"},

    {"k8s-service-discovery-type", kText, kKubernetes, "pod-ip", "pod-ip|service-name",
     "whether Pods or Services are engines"},
    {"k8s-port", kInteger, kKubernetes, "8000", "", "port of the engines"},
    {"k8s-namespace", kText, kKubernetes, "default", "", "namespace of the engines"},
    {"k8s-label-selector", kText, kKubernetes, "", "", "labels of the engines"},
    {"k8s-watcher-timeout-seconds", kInteger, kKubernetes, "0", "",
     "length of one watch; 0 is the server's default"},

    {"backend-health-check-timeout-seconds", kInteger, kHealth, "10", "",
     "time that a question to an engine may take (here 2 unless given)"},
    {"static-backend-health-checks", kSwitch, kHealth, "", "",
     "ask health by small real requests; needs --static-model-types"},
    {"static-backend-health-check-interval", kInteger, kHealth, "60", "", "seconds between them"},
    {"static-backend-health-check-timeout-seconds", kInteger, kHealth, "10", "",
     "time that one may take"},

    {"routing-logic", kText, kRouting, "", kLogics, "how one of several engines is chosen"},
    {"session-key", kText, kRouting, "", "",
     "header, else field of the body, that names the session"},
    {"prefix-min-match-length", kInteger, kRouting, "0", "",
     "accepted; what a match is worth is weighed against load instead"},
    {"max-instance-failover-reroute-attempts", kInteger, kRouting, "0", "",
     "further attempts after a failure (here 2 unless given)"},

    {"lmcache-controller-port", kInteger, kKv, "9000", "", "port of LMCache's workers"},
    {"lmcache-controller-reply-port", kInteger, kKv, "", "", "port of their registration"},
    {"lmcache-controller-heartbeat-port", kInteger, kKv, "", "", "port of their heartbeats"},
    {"lmcache-health-check-interval", kInteger, kKv, "5", "", "seconds"},
    {"lmcache-worker-timeout", kInteger, kKv, "30", "", "seconds without a heartbeat"},
    {"kv-aware-threshold", kInteger, kKv, "2000", "", "tokens that may be missing"},

    {"prefill-model-labels", kText, kDisaggregated, "", "", "labels of prefill engines"},
    {"decode-model-labels", kText, kDisaggregated, "", "", "labels of decode engines"},

    {"enable-batch-api", kSwitch, kBatch, "", "", "answer /v1/files and /v1/batches"},
    {"file-storage-class", kText, kBatch, "local_file", "local_file", "where files are kept"},
    {"file-storage-path", kText, kBatch, "/tmp/vllm_files", "", "directory of files and batches"},
    {"batch-processor", kText, kBatch, "local", "local", "what runs batches"},

    {"engine-stats-interval", kInteger, kObserve, "30", "",
     "seconds between two looks at engines' metrics (here 2 unless given)"},
    {"request-stats-window", kInteger, kObserve, "60", "", "seconds that rates are taken over"},
    {"log-stats", kSwitch, kObserve, "", "", "write a summary of the engines to the log"},
    {"log-stats-interval", kInteger, kObserve, "10", "", "seconds between two of them"},
    {"log-level", kText, kObserve, "info", "critical|error|warning|info|debug|trace",
     "least level of log lines"},
    {"log-format", kText, kObserve, "text", "text|json", "form of log lines"},
    {"otel-endpoint", kText, kObserve, "", "", "collector of traces; turns tracing on"},
    {"otel-service-name", kText, kObserve, "vllm-router", "", "name in traces"},
    {"otel-secure", kSwitch, kObserve, "", "", "TLS to the collector"},

    {"dynamic-config-yaml", kText, kFiles, "", "", "file of flags, read again when it changes"},
    {"dynamic-config-json", kText, kFiles, "", "", "the same in JSON"},

    {"callbacks", kText, kExtend, "", "", "not supported: Python code"},
    {"request-rewriter", kText, kExtend, "noop", "noop", "accepted; there is only noop"},
    {"feature-gates", kText, kExtend, "", "", "SemanticCache, PIIDetection: not supported here"},
    {"semantic-cache-model", kText, kExtend, "all-MiniLM-L6-v2", "", "not supported yet"},
    {"semantic-cache-dir", kText, kExtend, "semantic_cache", "", "not supported yet"},
    {"semantic-cache-threshold", kNumber, kExtend, "0.95", "", "not supported yet"},
    {"sentry-dsn", kText, kExtend, "", "", "not supported"},
    {"sentry-traces-sample-rate", kNumber, kExtend, "0.1", "", "not supported"},
    {"sentry-profile-session-sample-rate", kNumber, kExtend, "1.0", "", "not supported"},

    {"config", kText, kOwn, "", "",
     "configuration of `signalbox serve`; flags given here go on top of it"},
    {"metrics-port", kInteger, kOwn, "", "", "door for metrics alone; 0 takes a free port"},
    {"ports-file", kText, kOwn, "", "", "write the bound ports as JSON once listening"},
    {"encoder-dir", kText, kOwn, "", "", "sentence encoder, as of `signalbox serve`"},
    {"models-dir", kText, kOwn, "", "", "trained heads, as of `signalbox serve`"},
    {"version", kSwitch, kOwn, "", "", "print the version"},
    {"help", kSwitch, kOwn, "", "", "this text"},
});

}  // namespace

std::span<const RouterFlag> router_flags() { return kTable; }

}  // namespace signalbox::config
