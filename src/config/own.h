// What is Signalbox's own in a configuration: doors, limits, balancing, health, tracing and the other options of the
// `signalbox:` block, which every generation may carry. Part of the internal form in config/model.h; the same rules hold.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "config/edge.h"

namespace signalbox::config {

using std::chrono::milliseconds;

struct Listener {
  std::string name;
  std::string address = "0.0.0.0";
  std::uint16_t port = 8080;
  milliseconds timeout{0};  // 0: limits.total_timeout
  bool operator==(const Listener&) const = default;
};

struct TlsFiles {
  std::string certificate_file;
  std::string key_file;
  bool enabled() const { return !certificate_file.empty(); }
  bool operator==(const TlsFiles&) const = default;
};

enum class HeaderSet { kBoth, kSeed, kV03 };

struct HttpDoor {
  bool enabled = true;
  std::string address = "::";  // dual-stack
  std::uint16_t port = 8080;
  TlsFiles tls;
  HeaderSet response_headers = HeaderSet::kBoth;
  int unknown_model_status = 404;  // 404 or 400 (compatibility)
  bool operator==(const HttpDoor&) const = default;
};

struct AdminDoor {
  bool enabled = true;
  std::string address = "::";
  std::uint16_t port = 9190;
  bool operator==(const AdminDoor&) const = default;
};

// Certificate and key as for HTTP; with an authority of clients, only those that show a certificate of it are served.
struct ExtProcTls {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;
  bool enabled() const { return !certificate_file.empty(); }
  bool operator==(const ExtProcTls&) const = default;
};

// The door for Envoy: a gRPC service that an ext_proc filter calls.
struct ExtProcDoor {
  bool enabled = false;
  std::string address = "::";  // dual-stack
  std::uint16_t port = 50051;
  ExtProcTls tls;
  // Request header that tells Envoy's route the chosen model; empty: none.
  std::string model_header = "x-ai-eg-model";
  // Tell Envoy which replica the balancer chose (x-gateway-destination-endpoint, in header and dynamic metadata).
  bool destination = true;
  // Answers that are no event stream are passed by unread when the body is not asked for by anything: no usage figures.
  bool skip_response_body = false;
  // How the filters that `signalbox emit` writes send request bodies: "buffered", "streamed" or "full_duplex_streamed"; and
  // whether Signalbox may ask for another mode. Signalbox itself follows whatever a filter says of itself.
  std::string request_body_mode = "buffered";
  bool allow_mode_override = true;
  std::uint64_t message_bytes_max = limits::kExtProcMessageBytesMax;
  bool operator==(const ExtProcDoor&) const = default;
};

struct Limits {
  std::uint64_t body_bytes_max = limits::kBodyBytesMax;
  std::uint64_t connections_max = limits::kConnectionsMax;
  milliseconds head_timeout = limits::kHeadTimeout;
  milliseconds body_timeout = limits::kBodyTimeout;
  milliseconds idle_timeout = limits::kIdleTimeout;
  milliseconds connect_timeout = limits::kConnectTimeout;
  milliseconds first_byte_timeout = limits::kFirstByteTimeout;
  milliseconds stream_idle_timeout = limits::kStreamIdleTimeout;
  milliseconds total_timeout = limits::kTotalTimeout;
  milliseconds drain_timeout = limits::kDrainTimeout;
  bool operator==(const Limits&) const = default;
};

enum class BalancerPolicy {
  kRoundRobin,
  kLeastLoad,
  kPowerOfTwo,
  kSession,
  kSessionMd5,
  kPrefixAware,
  kLoadAware,
  kKvAware,
  kAuto
};

// signalbox.balancer.models.NAME: what differs for one model.
struct ModelBalancer {
  std::optional<BalancerPolicy> policy;
  bool operator==(const ModelBalancer&) const = default;
};

struct Balancer {
  BalancerPolicy policy = BalancerPolicy::kAuto;
  std::string session_header = "x-session-id";
  std::string
      session_body_field;  // top-level body field read when the header is absent, for example "user"
  double session_load_factor =
      1.25;  // bounded-load consistent hashing: no replica above this times the mean
  std::map<std::string, ModelBalancer> models;  // by name of the providers entry
  // Prefix cache of an engine that does not say how large it is (vllm:cache_config_info).
  std::int64_t cache_tokens = 262'144;
  std::string priority_header = "x-request-priority";  // empty: no priorities
  std::string zone;                          // where this router runs; empty: no preference
  std::map<std::string, std::string> zones;  // backend name or host to zone
  milliseconds zone_penalty{5};              // what leaving the zone costs
  bool operator==(const Balancer&) const = default;
};

// Where one engine publishes its KV events, where that is not its own host and the common ports.
struct KvPublisher {
  std::string endpoint;         // tcp://HOST:PORT of rank 0; rank r is on the port r further
  std::string replay_endpoint;  // the same for replay; empty: none
  int data_parallel_ranks = 0;  // 0: the common number
  bool operator==(const KvPublisher&) const = default;
};

// signalbox.kv_events: what engines say about the blocks in their caches (vLLM's --kv-events-config).
struct KvEvents {
  bool enabled = false;
  std::uint16_t port = 5557;      // of the publisher on each engine's host
  std::uint16_t replay_port = 0;  // of its replay socket; 0: none
  std::string topic;
  int data_parallel_ranks = 1;  // publishers of one engine, on consecutive ports
  double cpu_worth = 0.8;       // of a token in the engine's CPU tier, over one in its GPU cache
  double storage_worth = 0.5;   // of a token on disk or in a remote store
  std::string tokenize_path = "/tokenize";
  milliseconds tokenize_timeout{100};          // past it the request is routed without token ids
  std::map<std::string, KvPublisher> engines;  // by backend name, host:port or host
  // Folders with the tokenizer and the chat template of a model, by name of the providers entry.
  std::map<std::string, std::string> tokenizers;
  bool operator==(const KvEvents&) const = default;
};

// signalbox.lmcache: the controller that LMCache's workers report to (LMCACHE_CONTROLLER_*_URL of engines).
struct Lmcache {
  bool enabled = false;
  std::string pull = "tcp://*:9000";   // what needs no answer
  std::string reply = "tcp://*:9001";  // registration and questions; empty: not open
  std::string heartbeat =
      "tcp://*:9002";           // empty: workers send none (before 0.5 they do, to `pull`)
  std::string advertised_host;  // for heartbeats; empty: the own address towards each worker
  milliseconds worker_timeout{30'000};  // without a heartbeat, of workers that send them
  milliseconds check_interval{5000};
  std::int64_t chunk_tokens = 256;  // chunk_size of the engines' LMCache
  std::string hash_seed;            // PYTHONHASHSEED of the engines; empty: that of this process
  std::map<std::string, std::string> engines;  // instance by backend name, host:port or host
  bool operator==(const Lmcache&) const = default;
};

// How the blocks of a prompt get from the prefill engine to the decode engine.
enum class KvTransfer {
  kNixl,    // kv_transfer_params of the prefill answer are handed to the decode engine
  kLmcache  // the engines move them on their own
};

// signalbox.disaggregated_prefill: one engine computes the prompt, another one the answer.
struct DisaggregatedPrefill {
  bool enabled = false;
  KvTransfer transfer = KvTransfer::kNixl;
  std::vector<std::string> prefill_labels = {"prefill"};
  std::vector<std::string> decode_labels = {"decode"};
  std::map<std::string, std::string> labels;  // of backends, by name, host:port or host
  // Prompts of which the decode engine misses fewer tokens go there without the extra hop.
  std::int64_t tokens_min = 256;
  milliseconds timeout{300'000};  // of the prefill half
  bool operator==(const DisaggregatedPrefill&) const = default;
};

// Scraping of the engines' own figures.
struct EngineMetrics {
  bool enabled = true;
  std::string path = "/metrics";
  milliseconds interval{2000};
  milliseconds timeout{1000};
  milliseconds window{60'000};   // of rates and means that are published per engine
  milliseconds log_interval{0};  // between two summaries in the operator's log; 0: none
  bool operator==(const EngineMetrics&) const = default;
};

struct Retry {
  int attempts_max = 3;       // including the first, 1..limits::kAttemptsMax
  double budget_ratio = 0.2;  // retries per request over the last window
  int budget_min_per_second = 10;
  bool operator==(const Retry&) const = default;
};

struct Health {
  std::string path = "/health";
  milliseconds interval{5000};
  milliseconds timeout{2000};
  int unhealthy_after = 3;  // consecutive failures of the active check
  int healthy_after = 1;
  int eject_after_failures = 5;      // consecutive failed requests (connect, reset, 5xx)
  milliseconds ejection_time{5000};  // first ejection; doubles up to 16 times
  int max_ejection_percent = 50;     // floor: at least one replica stays
  // An engine that is new or back gets its share little by little over this time; 0: at once.
  milliseconds slow_start{5000};
  milliseconds models_interval{30'000};  // between two looks at what an engine serves
  bool operator==(const Health&) const = default;
};

struct Tracing {
  bool enabled = false;
  std::string endpoint;  // host:port or http URL of an OTLP/HTTP receiver
  std::string service_name = "signalbox";
  double sampling_rate = 1.0;
  bool operator==(const Tracing&) const = default;
};

struct AccessLog {
  bool enabled = true;
  std::string path = "stderr";  // stderr | stdout | file path
  bool operator==(const AccessLog&) const = default;
};

struct EncoderSettings {
  bool enabled = true;
  std::string
      directory;  // model files; empty: SIGNALBOX_ENCODER_DIR, else the cache folder of the base package
  int threads = 0;             // 0: what the I/O leaves, at least 1
  milliseconds deadline{200};  // past it the request goes down the ladder
  bool operator==(const EncoderSettings&) const = default;
};

// signalbox.models[]: replicas in one line each, for people who do not start from the published files.
struct Sim {
  bool embedded = false;  // start demo engines when a model has no reachable backend of its own
  int replicas = 2;
  bool operator==(const Sim&) const = default;
};

// The `signalbox:` block: our own options, legal in every generation.
struct Own {
  HttpDoor http;
  AdminDoor admin;
  ExtProcDoor extproc;
  Limits limits;
  Balancer balancer;
  EngineMetrics engine_metrics;
  KvEvents kv_events;
  Lmcache lmcache;
  DisaggregatedPrefill disaggregated_prefill;
  Retry retry;
  Health health;
  AccessLog access_log;
  EncoderSettings encoder;
  Sim sim;
  Discovery discovery;
  Access access;
  HandOn hand_on;
  Cors cors;
  Queue queue;
  Hung hung;
  Files files;
  Batches batches;
  RoutingLog routing_log;
  std::string root_path;       // prefix below which everything answers too
  std::string dynamic_config;  // JSON shown by /health: what the router's file of changes said last
  std::vector<std::string> trusted_peers;  // CIDR; identity headers count only from these
  std::string user_id_header = "x-authz-user-id";
  std::string user_groups_header = "x-authz-user-groups";
  double task_kind_threshold = 0.5;  // least confidence of a task_kind leaf
  std::vector<std::string>
      metadata_headers;  // header prefix or names offered to metadata rules; body `metadata` always
  int io_threads = 0;    // 0: the CPU budget
  bool operator==(const Own&) const = default;
};

}  // namespace signalbox::config
