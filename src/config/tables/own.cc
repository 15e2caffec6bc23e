// Rows of the `signalbox` block: our own options, legal in every generation.
#include "config/tables/bind.h"
#include "config/tables/tables.h"

namespace signalbox::config {

template <>
struct EnumWords<HeaderSet> {
  static constexpr std::pair<std::string_view, HeaderSet> kWords[] = {
      {"both", HeaderSet::kBoth}, {"seed", HeaderSet::kSeed}, {"v03", HeaderSet::kV03}};
};
template <>
struct EnumWords<BalancerPolicy> {
  static constexpr std::pair<std::string_view, BalancerPolicy> kWords[] = {
      {"round_robin", BalancerPolicy::kRoundRobin},
      {"least_load", BalancerPolicy::kLeastLoad},
      {"power_of_two", BalancerPolicy::kPowerOfTwo},
      {"session", BalancerPolicy::kSession},
      {"session_md5", BalancerPolicy::kSessionMd5},
      {"prefix_aware", BalancerPolicy::kPrefixAware},
      {"load_aware", BalancerPolicy::kLoadAware},
      {"kv_aware", BalancerPolicy::kKvAware},
      {"auto", BalancerPolicy::kAuto}};
};
template <>
struct EnumWords<KvTransfer> {
  static constexpr std::pair<std::string_view, KvTransfer> kWords[] = {
      {"nixl", KvTransfer::kNixl}, {"lmcache", KvTransfer::kLmcache}};
};

namespace {

constexpr double kDaySeconds = 86400;

std::vector<std::string_view> policy_words() {
  std::vector<std::string_view> words;
  for (const auto& [word, value] : EnumWords<BalancerPolicy>::kWords) words.push_back(word);
  return words;
}

const Schema& tls_schema() {
  using T = TlsFiles;
  static const Schema schema{
      .name = "signalbox.http.tls",
      .fields = {row<&T::certificate_file>("certificate_file",
                                           "PEM file with the certificate chain."),
                 row<&T::key_file>("key_file", "PEM file with its private key.")},
      .after = [](Reader& reader, const Node& node, void* object) {
        const auto& tls = *static_cast<T*>(object);
        if (tls.certificate_file.empty() == tls.key_file.empty()) return;
        reader.error("contradiction", node.mark, "certificate_file and key_file go together",
                     "give both or none");
      }};
  return schema;
}

const Schema& http_schema() {
  using H = HttpDoor;
  static const Schema schema{
      .name = "signalbox.http",
      .fields = {row<&H::enabled>("enabled", "Open the OpenAI-compatible door.").restart(),
                 row<&H::address>("address", "Address to listen on; :: takes IPv4 too.").restart(),
                 row<&H::port>("port", "TCP port; 0 lets the system choose.").restart(),
                 child<&H::tls>("tls", tls_schema,
                                "Serve HTTPS; files are read again when they change."),
                 row<&H::response_headers>(
                     "response_headers",
                     "Which x-vsr-* headers answers carry: those of 2025, of v0.3, or both."),
                 row<&H::unknown_model_status>("unknown_model_status",
                                               "Status for a model that nobody knows: 404 or 400.")
                     .range(400, 404)},
      .after = [](Reader& reader, const Node& node, void* object) {
        const int status = static_cast<H*>(object)->unknown_model_status;
        if (status == 404 || status == 400) return;
        reader.error("out-of-range", node.find("unknown_model_status")->mark, "neither 404 nor 400",
                     "use one of them");
      }};
  return schema;
}

const Schema& admin_schema() {
  using A = AdminDoor;
  static const Schema schema{
      .name = "signalbox.admin",
      .fields = {row<&A::enabled>("enabled", "Open the door for metrics and operators.").restart(),
                 row<&A::address>("address", "Address to listen on; :: takes IPv4 too.").restart(),
                 row<&A::port>("port", "TCP port; 0 lets the system choose.").restart()}};
  return schema;
}

const Schema& extproc_tls_schema() {
  using T = ExtProcTls;
  static const Schema schema{
      .name = "signalbox.extproc.tls",
      .fields = {row<&T::certificate_file>("certificate_file",
                                           "PEM file with the certificate chain.")
                     .restart(),
                 row<&T::key_file>("key_file", "PEM file with its private key.").restart(),
                 row<&T::client_ca_file>(
                     "client_ca_file",
                     "PEM file with the authority of Envoy's certificate; empty asks for none.")
                     .restart()},
      .after = [](Reader& reader, const Node& node, void* object) {
        const auto& tls = *static_cast<T*>(object);
        if (tls.certificate_file.empty() != tls.key_file.empty()) {
          reader.error("contradiction", node.mark, "certificate_file and key_file go together",
                       "give both or none");
        } else if (!tls.client_ca_file.empty() && !tls.enabled()) {
          reader.error("contradiction", node.mark, "client_ca_file without a certificate",
                       "give certificate_file and key_file too");
        }
      }};
  return schema;
}

const Schema& extproc_schema() {
  using E = ExtProcDoor;
  static const Schema schema{
      .name = "signalbox.extproc",
      .fields = {
          row<&E::enabled>("enabled", "Open the door for Envoy (ext_proc over gRPC).").restart(),
          row<&E::address>("address", "Address to listen on; :: takes IPv4 too.").restart(),
          row<&E::port>("port", "TCP port; 0 lets the system choose.").restart(),
          child<&E::tls>("tls", extproc_tls_schema, "Speak TLS with Envoy."),
          row<&E::model_header>(
              "model_header",
              "Request header that tells Envoy's route the chosen model; empty sets none."),
          row<&E::destination>("destination",
                               "Tell Envoy the chosen replica in x-gateway-destination-endpoint, "
                               "as header and as dynamic metadata."),
          row<&E::skip_response_body>(
              "skip_response_body",
              "Ask Envoy not to send answers that are no event stream: cheaper, but without token "
              "counts; needs allow_mode_override."),
          row<&E::request_body_mode>(
              "request_body_mode",
              "How Envoy sends request bodies in what `signalbox emit` writes (docs/extproc.md).")
              .one_of({"buffered", "streamed", "full_duplex_streamed"}),
          row<&E::allow_mode_override>("allow_mode_override",
                                       "Whether the filters that `signalbox emit` writes let "
                                       "Signalbox ask for another body mode."),
          row<&E::message_bytes_max>("message_bytes_max", "Largest message of Envoy.")
              .as(Type::kBytes)
              .range(65536, 2e9)
              .restart()}};
  return schema;
}

const Schema& limits_schema() {
  using L = Limits;
  static const Schema schema{
      .name = "signalbox.limits",
      .fields = {
          row<&L::body_bytes_max>("body_bytes_max", "Largest request body.")
              .as(Type::kBytes)
              .range(1024, 1e10),
          row<&L::connections_max>("connections_max", "Client connections at a time.")
              .range(1, 1e7),
          row<&L::head_timeout>("head_timeout", "First byte of a request to the end of its head.")
              .range(0.01, kDaySeconds),
          row<&L::body_timeout>("body_timeout", "Between two reads of a request body.")
              .range(0.01, kDaySeconds),
          row<&L::idle_timeout>("idle_timeout", "A client connection without a request.")
              .range(0.01, kDaySeconds),
          row<&L::connect_timeout>("connect_timeout", "Connecting to an engine.")
              .range(0.001, kDaySeconds),
          row<&L::first_byte_timeout>("first_byte_timeout",
                                      "Request sent to first byte of the answer.")
              .range(0.01, kDaySeconds),
          row<&L::stream_idle_timeout>("stream_idle_timeout", "Between two bytes of an answer.")
              .range(0.01, kDaySeconds),
          row<&L::total_timeout>("total_timeout", "A whole request with all its attempts.")
              .range(0.01, kDaySeconds),
          row<&L::drain_timeout>("drain_timeout", "SIGTERM to forced close.")
              .range(0, kDaySeconds)}};
  return schema;
}

const Schema& model_balancer_schema() {
  using M = ModelBalancer;
  static const Schema schema{
      .name = "signalbox.balancer.models.NAME",
      .fields = {row<&M::policy>("policy", "Policy of this model in place of the common one.")
                     .one_of(policy_words())}};
  return schema;
}

const Schema& balancer_schema() {
  using B = Balancer;
  static const Schema schema{
      .name = "signalbox.balancer",
      .fields = {
          row<&B::policy>("policy", "How one of several replicas is chosen."),
          row<&B::session_header>("session_header",
                                  "Header that names the session, of policy session."),
          row<&B::session_body_field>("session_body_field",
                                      "Member of the body read when the header is absent."),
          row<&B::session_load_factor>("session_load_factor",
                                       "No replica above this times the mean load.")
              .range(1, 100),
          map<&B::models>("models", model_balancer_schema, "What differs for one model."),
          row<&B::cache_tokens>(
              "cache_tokens",
              "Prefix cache of an engine that does not say how large it is; for a new engine.")
              .as(Type::kTokens)
              .range(1024, 1e10),
          row<&B::priority_header>(
              "priority_header",
              "Header with a request's priority: below 0 is urgent, above 0 can wait."),
          row<&B::zone>("zone", "Where this router runs; empty is no preference."),
          row<&B::zones>("zones", "Zone of each backend, by its name or host."),
          row<&B::zone_penalty>("zone_penalty", "What leaving the zone costs.").range(0, 60)}};
  return schema;
}

const Schema& engine_metrics_schema() {
  using M = EngineMetrics;
  static const Schema schema{
      .name = "signalbox.engine_metrics",
      .fields = {
          row<&M::enabled>("enabled", "Ask engines for their own load and cache figures."),
          row<&M::path>("path", "Where engines publish them, below their base path."),
          row<&M::interval>("interval", "Time between two scrapes of an engine.")
              .range(0.1, kDaySeconds),
          row<&M::timeout>("timeout", "Time a scrape may take.").range(0.01, kDaySeconds),
          row<&M::window>("window", "Of rates and means published per engine.")
              .range(1, kDaySeconds),
          row<&M::log_interval>("log_interval", "Between two summaries in the log; 0 is never.")
              .range(0, kDaySeconds)}};
  return schema;
}

const Schema& kv_publisher_schema() {
  using P = KvPublisher;
  static const Schema schema{
      .name = "signalbox.kv_events.engines.NAME",
      .fields = {
          row<&P::endpoint>("endpoint", "tcp://HOST:PORT of rank 0; rank r is r ports further."),
          row<&P::replay_endpoint>("replay_endpoint", "The same for replay; empty is none."),
          row<&P::data_parallel_ranks>("data_parallel_ranks", "0 takes the common number.")
              .range(0, limits::kKvRanksMax)}};
  return schema;
}

const Schema& kv_events_schema() {
  using K = KvEvents;
  static const Schema schema{
      .name = "signalbox.kv_events",
      .fields = {
          row<&K::enabled>("enabled", "Follow the KV events of the engines.").restart(),
          row<&K::port>("port", "Port of the publisher on each engine's host."),
          row<&K::replay_port>("replay_port", "Port of its replay socket; 0 is none."),
          row<&K::topic>("topic", "Topic the engines publish under; empty takes all."),
          row<&K::data_parallel_ranks>("data_parallel_ranks",
                                       "Publishers of one engine, on consecutive ports.")
              .range(1, limits::kKvRanksMax),
          row<&K::cpu_worth>("cpu_worth", "Of a token in the CPU tier, over one in the GPU cache.")
              .range(0, 1),
          row<&K::storage_worth>("storage_worth", "Of a token on disk or in a remote store.")
              .range(0, 1),
          row<&K::tokenize_path>("tokenize_path", "Where engines turn a request into token ids."),
          row<&K::tokenize_timeout>("tokenize_timeout",
                                    "Past it a request is routed without token ids.")
              .range(0.001, 60),
          map<&K::engines>("engines", kv_publisher_schema,
                           "Engines that publish elsewhere, by backend name, host:port or host."),
          row<&K::tokenizers>("tokenizers",
                              "Folder with tokenizer.json, tokenizer_config.json and perhaps "
                              "chat_template.jinja of a model, by its name: its prompts are "
                              "tokenised here where that agrees with its engines.")}};
  return schema;
}

const Schema& lmcache_schema() {
  using L = Lmcache;
  static const Schema schema{
      .name = "signalbox.lmcache",
      .fields = {
          row<&L::enabled>("enabled", "Be the controller that LMCache's workers report to.")
              .restart(),
          row<&L::pull>("pull", "Where workers report chunks: tcp://HOST:PORT, * for any host.")
              .restart(),
          row<&L::reply>("reply", "Where workers register and ask; empty is not open.").restart(),
          row<&L::heartbeat>("heartbeat",
                             "Where workers of LMCache 0.5 send heartbeats; empty "
                             "is not open.")
              .restart(),
          row<&L::advertised_host>("advertised_host",
                                   "Host they are told for that; empty is the one that heartbeat "
                                   "names, else the own address towards each.")
              .restart(),
          row<&L::worker_timeout>("worker_timeout",
                                  "Silence after which a worker that sent heartbeats is gone.")
              .range(0.1, kDaySeconds)
              .restart(),
          row<&L::check_interval>("check_interval", "Between two looks for silent workers.")
              .range(0.05, kDaySeconds)
              .restart(),
          row<&L::chunk_tokens>("chunk_tokens", "Tokens of a chunk: chunk_size of LMCache.")
              .as(Type::kTokens)
              .range(1, 1 << 20),
          row<&L::hash_seed>("hash_seed",
                             "PYTHONHASHSEED of the engines; empty takes that of this process.")
              .restart(),
          row<&L::engines>("engines",
                           "LMCache instance of each engine, by backend name, host:port or host, "
                           "where address and name do not tell.")}};
  return schema;
}

const Schema& disaggregated_prefill_schema() {
  using D = DisaggregatedPrefill;
  static const Schema schema{
      .name = "signalbox.disaggregated_prefill",
      .fields =
          {row<&D::enabled>("enabled", "One engine computes the prompt, another one the answer."),
           row<&D::transfer>("transfer",
                             "nixl hands kv_transfer_params on; lmcache leaves it to the engines."),
           row<&D::prefill_labels>("prefill_labels", "Labels of engines that compute prompts."),
           row<&D::decode_labels>("decode_labels", "Labels of engines that compute answers."),
           row<&D::labels>("labels",
                           "Label of a backend, by its name, host:port or host; "
                           "else its own `label` counts."),
           row<&D::tokens_min>("tokens_min",
                               "Prompts of which fewer tokens are missing skip the extra hop.")
               .as(Type::kTokens)
               .range(0, 1e9),
           row<&D::timeout>("timeout", "Time the prefill half may take.").range(0.01, kDaySeconds)},
      .after = [](Reader& reader, const Node& node, void* object) {
        const auto& d = *static_cast<D*>(object);
        if (!d.enabled) return;
        if (d.prefill_labels.empty() || d.decode_labels.empty()) {
          reader.error("contradiction", node.mark, "no backend can have a label for each half",
                       "name at least one of prefill_labels and one of decode_labels");
        }
      }};
  return schema;
}

const Schema& retry_schema() {
  using R = Retry;
  static const Schema schema{
      .name = "signalbox.retry",
      .fields = {row<&R::attempts_max>("attempts_max", "Attempts, the first included.")
                     .range(1, limits::kAttemptsMax),
                 row<&R::budget_ratio>("budget_ratio",
                                       "Retries allowed per request, over the last window.")
                     .range(0, 1),
                 row<&R::budget_min_per_second>("budget_min_per_second", "Retries always allowed.")
                     .range(0, 1e6)}};
  return schema;
}

const Schema& health_schema() {
  using H = Health;
  static const Schema schema{
      .name = "signalbox.health",
      .fields = {
          row<&H::path>("path", "Path asked by the active check; empty switches it off."),
          row<&H::interval>("interval", "Time between two checks.").range(0.01, kDaySeconds),
          row<&H::timeout>("timeout", "Time a check may take.").range(0.01, kDaySeconds),
          row<&H::unhealthy_after>("unhealthy_after",
                                   "Failed checks in a row that take a replica out.")
              .range(1, 1000),
          row<&H::healthy_after>("healthy_after", "Good checks in a row that bring it back.")
              .range(1, 1000),
          row<&H::eject_after_failures>("eject_after_failures",
                                        "Failed requests in a row that eject a replica.")
              .range(1, 1000),
          row<&H::ejection_time>("ejection_time", "First ejection; doubles up to 16 times.")
              .range(0, kDaySeconds),
          row<&H::max_ejection_percent>("max_ejection_percent",
                                        "Share of replicas that may be ejected for failing (not "
                                        "for being unreachable); one always stays.")
              .range(0, 100),
          row<&H::slow_start>("slow_start",
                              "An engine that joins or is back gets its share little by little "
                              "over this time; 0 is at once.")
              .range(0, kDaySeconds),
          row<&H::models_interval>("models_interval",
                                   "Between two looks at which models an engine serves.")
              .range(0.1, kDaySeconds)}};
  return schema;
}

const Schema& access_log_schema() {
  using A = AccessLog;
  static const Schema schema{
      .name = "signalbox.access_log",
      .fields = {row<&A::enabled>("enabled", "One JSON line per request, without prompt text."),
                 row<&A::path>("path", "stderr, stdout or a file.").restart()}};
  return schema;
}

const Schema& encoder_schema() {
  using E = EncoderSettings;
  static const Schema schema{
      .name = "signalbox.encoder",
      .fields = {
          row<&E::enabled>("enabled",
                           "Off leaves domain and embedding signals to the keyword rung.")
              .restart(),
          row<&E::directory>(
              "directory", "Model files; default is SIGNALBOX_ENCODER_DIR, then the cache folder.")
              .restart(),
          row<&E::threads>("threads", "Compute threads; 0 takes what the I/O leaves.")
              .range(0, 1024)
              .restart(),
          row<&E::deadline>("deadline", "Past it a request goes down the ladder.")
              .range(0.001, 3600)}};
  return schema;
}

const Schema& sim_schema() {
  using S = Sim;
  static const Schema schema{
      .name = "signalbox.sim",
      .fields = {
          row<&S::embedded>("embedded", "Start simulated engines for models without a backend.")
              .restart(),
          row<&S::replicas>("replicas", "Simulated engines per model.").range(1, 64).restart()}};
  return schema;
}

}  // namespace

// config/tables/edge.cc
const Schema& discovery_schema();
const Schema& access_schema();
const Schema& hand_on_schema();
const Schema& cors_schema();
const Schema& queue_schema();
const Schema& hung_schema();
const Schema& files_schema();
const Schema& batches_schema();
const Schema& routing_log_schema();

const Schema& own_schema() {
  using O = Own;
  static const Schema schema{
      .name = "signalbox",
      .fields =
          {child<&O::http>("http", http_schema, "The OpenAI-compatible door."),
           child<&O::admin>("admin", admin_schema, "The door for metrics and operators."),
           child<&O::extproc>("extproc", extproc_schema, "The door for Envoy's ext_proc filter."),
           child<&O::limits>("limits", limits_schema, "Sizes and times."),
           child<&O::balancer>("balancer", balancer_schema, "Choice of a replica."),
           child<&O::engine_metrics>("engine_metrics", engine_metrics_schema,
                                     "Figures that engines publish."),
           child<&O::kv_events>("kv_events", kv_events_schema,
                                "What engines say about the blocks in their caches."),
           child<&O::lmcache>("lmcache", lmcache_schema,
                              "What LMCache's workers say about the chunks they hold."),
           child<&O::disaggregated_prefill>("disaggregated_prefill", disaggregated_prefill_schema,
                                            "Prompts and answers on different engines."),
           child<&O::retry>("retry", retry_schema, "Further attempts."),
           child<&O::health>("health", health_schema, "Health checks and ejection."),
           child<&O::access_log>("access_log", access_log_schema, "The access log."),
           child<&O::encoder>("encoder", encoder_schema,
                              "The encoder behind domain and embedding signals."),
           child<&O::sim>("sim", sim_schema, "Simulated engines."),
           child<&O::discovery>("discovery", discovery_schema,
                                "Engines beside those of providers.models."),
           child<&O::access>("access", access_schema, "Who may ask; without keys everybody."),
           child<&O::hand_on>("hand_on", hand_on_schema,
                              "Two Signalboxes, one behind the other, that decide together."),
           child<&O::cors>("cors", cors_schema, "Answers to browsers of other origins."),
           child<&O::queue>("queue", queue_schema, "Requests that wait for a free engine."),
           child<&O::hung>("hung", hung_schema, "Engines that take requests and say nothing."),
           child<&O::files>("files", files_schema, "The files API."),
           child<&O::batches>("batches", batches_schema, "The batch API; needs files."),
           child<&O::routing_log>("routing_log", routing_log_schema,
                                  "One line a routed request, in the words of vLLM Production "
                                  "Stack's router."),
           row<&O::root_path>("root_path", "Prefix below which every path answers too."),
           row<&O::trusted_peers>(
               "trusted_peers",
               "Addresses or CIDRs whose identity headers count; default is none."),
           row<&O::user_id_header>("user_id_header", "Header that names the user."),
           row<&O::user_groups_header>("user_groups_header",
                                       "Header that lists the user's groups."),
           row<&O::task_kind_threshold>("task_kind_threshold",
                                        "Least confidence of rule leaves of type task_kind (code, "
                                        "creative_writing, maths, general_knowledge, summarising, "
                                        "translation, extraction, small_talk).")
               .range(0, 1)
               .in("0..1"),
           row<&O::metadata_headers>(
               "metadata_headers", "Headers offered to metadata rules beside the body's metadata."),
           row<&O::io_threads>("io_threads", "I/O threads; 0 takes the CPU budget.")
               .range(0, 1024)
               .restart()},
      .after = [](Reader& reader, const Node& node, void* object) {
        const auto& own = *static_cast<O*>(object);
        if (own.balancer.policy != BalancerPolicy::kKvAware) return;
        if (own.kv_events.enabled || own.lmcache.enabled) return;
        reader.warning("kv-events-off", node.mark,
                       "policy kv_aware without kv_events or lmcache goes by estimates, as "
                       "prefix_aware does",
                       "set kv_events.enabled or lmcache.enabled, or policy prefix_aware");
      }};
  return schema;
}

}  // namespace signalbox::config
