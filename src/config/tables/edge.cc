// Rows of the blocks in config/edge.h: discovery, access, CORS, queue, hung engines, files, batches, routing log.
#include "config/tables/bind.h"
#include "config/tables/tables.h"

namespace signalbox::config {
namespace {

constexpr double kDaySeconds = 86400;

const Schema& dns_schema() {
  using D = DnsEngines;
  static const Schema schema{
      .name = "signalbox.discovery.dns[]",
      .fields = {
          row<&D::name>("name", "Host name, or service name of SRV records.").required(),
          row<&D::srv>("srv", "Ask for SRV records, which name ports and weights."),
          row<&D::port>("port", "Port of the engines where the records name none.").range(1, 65535),
          row<&D::scheme>("protocol", "http or https.").one_of({"http", "https"}),
          row<&D::label>("label", "Role or group of every engine found."),
          row<&D::models>("models", "Models that they serve; empty asks them."),
          row<&D::api_key>("api_key", "Key for the engines; better given as ${VAR}."),
          row<&D::server>("server", "host:port of a DNS server; empty is the system's."),
          row<&D::interval>("interval", "Time between two look-ups.").range(0.1, kDaySeconds)}};
  return schema;
}

const Schema& kubernetes_schema() {
  using K = KubernetesEngines;
  static const Schema schema{
      .name = "signalbox.discovery.kubernetes",
      .fields = {row<&K::enabled>("enabled", "Follow the API server. Not in this release."),
                 row<&K::by>("by", "Pods or Services.").one_of({"pod-ip", "service-name"}),
                 row<&K::name_space>("namespace", "Namespace of the engines."),
                 row<&K::label_selector>("label_selector", "Labels of the engines."),
                 row<&K::port>("port", "Port of the engines.").range(1, 65535),
                 row<&K::watch_timeout>("watch_timeout", "Of one watch; 0 is the server's default.")
                     .range(0, kDaySeconds)}};
  return schema;
}

// A key that stands in a variable, with a word when that is not set.
void finish_key(Reader& reader, const Node& node, void* object) {
  auto& key = *static_cast<ClientKey*>(object);
  if (key.key.empty() && !key.key_env.empty()) {
    key.key = Secret(reader.environment(key.key_env).value_or(""));
    if (key.key.empty()) {
      reader.error("key-not-set", node.mark, fmt::format("variable {} is not set", key.key_env),
                   "set it, or give key");
    }
    return;
  }
  if (!key.key.empty()) return;
  reader.error("missing-key", node.mark, "a client needs key or key_env", "add key: ${VAR}");
}

const Schema& key_schema() {
  using K = ClientKey;
  static const Schema schema{
      .name = "signalbox.access.keys[]",
      .fields =
          {row<&K::name>("name", "Name of the client in metrics and logs.").required(),
           row<&K::key>("key", "What it shows as Authorization: Bearer or x-api-key."),
           row<&K::key_env>("key_env", "Name of the environment variable that holds the key."),
           row<&K::requests_per_minute>("requests_per_minute", "Most requests; 0 is no limit.")
               .range(0, 1e9),
           row<&K::tokens_per_minute>("tokens_per_minute",
                                      "Most tokens of prompts and answers; 0 is no limit.")
               .range(0, 2e9),
           row<&K::concurrent_max>("concurrent_max", "Most requests at a time; 0 is no limit.")
               .range(0, 1e9),
           row<&K::models>("models", "Models that it may ask for; empty is all.")},
      .after = finish_key};
  return schema;
}

}  // namespace

const Schema& discovery_schema() {
  using D = Discovery;
  static const Schema schema{
      .name = "signalbox.discovery",
      .fields = {row<&D::files>("files", "Files that list engines, read again when they change."),
                 list<&D::dns>("dns", dns_schema, "Names that stand for engines."),
                 child<&D::kubernetes>("kubernetes", kubernetes_schema,
                                       "Engines of a Kubernetes cluster.")}};
  return schema;
}

const Schema& hand_on_schema() {
  using H = HandOn;
  static const Schema schema{
      .name = "signalbox.hand_on",
      .fields = {row<&H::secret_env>("secret_env",
                                     "Name of the variable with the secret that both hops share, "
                                     "16 bytes or more."),
                 row<&H::send>("send", "Put the header on requests: this is the first hop.")},
      .after = [](Reader& reader, const Node& node, void* object) {
        auto& hand_on = *static_cast<H*>(object);
        if (hand_on.secret_env.empty()) {
          if (!hand_on.send) return;
          reader.error("missing-key", node.mark, "send needs a secret to sign with",
                       "name the variable that holds it: secret_env");
          return;
        }
        hand_on.secret = Secret(reader.environment(hand_on.secret_env).value_or(""));
        if (hand_on.secret.reveal().size() >= kHandOnSecretBytesMin) return;
        reader.error("key-not-set", node.mark,
                     fmt::format("variable {} holds less than {} bytes", hand_on.secret_env,
                                 kHandOnSecretBytesMin),
                     "set it to a long random text, the same at both hops");
      }};
  return schema;
}

const Schema& access_schema() {
  static const Schema schema{
      .name = "signalbox.access",
      .fields = {list<&Access::keys>("keys", key_schema, "Clients by the key they show.")}};
  return schema;
}

const Schema& cors_schema() {
  using C = Cors;
  static const Schema schema{
      .name = "signalbox.cors",
      .fields = {row<&C::origins>("origins", "Origins that may ask, or \"*\"; empty is off."),
                 row<&C::headers>("headers", "Request headers that scripts may send."),
                 row<&C::max_age>("max_age", "How long browsers may remember the answer.")
                     .range(0, kDaySeconds)}};
  return schema;
}

const Schema& queue_schema() {
  using Q = Queue;
  static const Schema schema{
      .name = "signalbox.queue",
      .fields = {
          row<&Q::engine_requests_max>(
              "engine_requests_max",
              "An engine with so many requests is full; 0 leaves queueing to the engines.")
              .range(0, 1e6),
          row<&Q::waiting_max>("waiting_max", "Waiting requests of one model on one core.")
              .range(0, 1e6),
          row<&Q::wait>("wait", "Longest wait; then 503 with Retry-After.").range(0, kDaySeconds)}};
  return schema;
}

const Schema& hung_schema() {
  using H = Hung;
  static const Schema schema{
      .name = "signalbox.hung",
      .fields = {
          row<&H::suspect_after>("suspect_after",
                                 "Silence after which an engine's health path is asked; an engine "
                                 "that does not answer loses the request to another. 0 is never.")
              .range(0, kDaySeconds),
          row<&H::probe_timeout>("probe_timeout", "Time that question may take.")
              .range(0.001, 3600),
          row<&H::give_up_after>("give_up_after",
                                 "Silence after which a stream is asked for elsewhere, whatever "
                                 "the engine's health says. 0 is never.")
              .range(0, kDaySeconds)}};
  return schema;
}

const Schema& files_schema() {
  using F = Files;
  static const Schema schema{
      .name = "signalbox.files",
      .fields = {row<&F::enabled>("enabled", "Answer /v1/files.").restart(),
                 row<&F::directory>("directory", "Where files and batches are kept.").restart(),
                 row<&F::file_bytes_max>("file_bytes_max", "Largest file.")
                     .as(Type::kBytes)
                     .range(1, 1e12)
                     .restart(),
                 row<&F::total_bytes_max>("total_bytes_max", "All files together.")
                     .as(Type::kBytes)
                     .range(1, 1e15)
                     .restart()}};
  return schema;
}

const Schema& batches_schema() {
  using B = Batches;
  static const Schema schema{
      .name = "signalbox.batches",
      .fields = {row<&B::enabled>("enabled", "Answer /v1/batches.").restart(),
                 row<&B::concurrent_max>("concurrent_max", "Requests of batches at a time.")
                     .range(1, 4096)
                     .restart()}};
  return schema;
}

const Schema& routing_log_schema() {
  using R = RoutingLog;
  static const Schema schema{
      .name = "signalbox.routing_log",
      .fields = {row<&R::enabled>("enabled", "Write it."),
                 row<&R::path>("path", "stderr, stdout or a file.").restart()}};
  return schema;
}

}  // namespace signalbox::config
