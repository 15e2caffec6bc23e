// Options of Signalbox as a router of engines: where engines come from, who may ask, what waits, what is kept on disk. Part
// of the `signalbox:` block (config/own.h); the same rules hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/secret.h"

namespace signalbox::config {

using std::chrono::milliseconds;

// signalbox.discovery.dns[]: a name that stands for engines. They are asked which models they serve.
struct DnsEngines {
  std::string name;  // A and AAAA records, or SRV records where `srv` is set
  bool srv = false;  // ports and weights come from the records
  std::uint16_t port = 8000;
  std::string scheme = "http";      // http | https
  std::string label;                // of every engine found; see BackendRef::label
  std::vector<std::string> models;  // served by every engine found; empty: the engines are asked
  Secret api_key;                   // for requests and for questions
  std::string server;               // host:port of a DNS server; empty: the system's
  milliseconds interval{10'000};    // between two look-ups
  bool operator==(const DnsEngines&) const = default;
};

// signalbox.hand_on: two Signalboxes, one behind the other, decide together (pipeline/hand_on.h).
inline constexpr std::size_t kHandOnSecretBytesMin = 16;
struct HandOn {
  std::string
      secret_env;  // variable with the secret that both share; empty: nothing is handed on or believed
  Secret secret;      // its value
  bool send = false;  // the first of the two
  bool operator==(const HandOn&) const = default;
};

// signalbox.discovery.kubernetes: engines that the API server names. Read, and not followed in this release.
struct KubernetesEngines {
  bool enabled = false;
  std::string by = "pod-ip";  // pod-ip | service-name
  std::string name_space = "default";
  std::string label_selector;
  std::uint16_t port = 8000;
  milliseconds watch_timeout{0};  // 0: the server's default
  bool operator==(const KubernetesEngines&) const = default;
};

// signalbox.discovery: engines beside those of providers.models.
struct Discovery {
  std::vector<std::string> files;  // lists of engines, read again when they change
  std::vector<DnsEngines> dns;
  KubernetesEngines kubernetes;
  bool operator==(const Discovery&) const = default;
};

// signalbox.access.keys[]: one client.
struct ClientKey {
  std::string name;  // in metrics and logs
  Secret key;        // from key or the variable named by key_env
  std::string key_env;
  int requests_per_minute = 0;      // 0: no limit
  int tokens_per_minute = 0;        // prompt and answer, as the engines count; 0: no limit
  int concurrent_max = 0;           // requests at a time; 0: no limit
  std::vector<std::string> models;  // it may ask for; empty: all
  bool operator==(const ClientKey&) const = default;
};

// signalbox.access: without keys everybody may ask.
struct Access {
  std::vector<ClientKey> keys;
  bool operator==(const Access&) const = default;
};

// signalbox.cors: for browsers. Off without origins.
struct Cors {
  std::vector<std::string> origins;  // exact, or one "*"
  std::vector<std::string> headers = {"authorization", "content-type", "x-api-key", "x-request-id"};
  milliseconds max_age{600'000};
  bool operator==(const Cors&) const = default;
};

// signalbox.queue: requests wait here while every engine of their model is full.
struct Queue {
  int engine_requests_max = 0;  // an engine with so many is full; 0: engines queue for themselves
  std::uint64_t waiting_max = limits::kQueueWaitingMax;  // of one model, on one core
  milliseconds wait{30'000};                             // longest
  bool operator==(const Queue&) const = default;
};

// signalbox.hung: engines that take requests and say nothing.
struct Hung {
  // Nothing came so long after a request was sent: the engine's health path is asked. 0: never.
  milliseconds suspect_after{1000};
  milliseconds probe_timeout{500};
  // A stream without its first byte after so long is asked for elsewhere, whatever the engine's health says. 0: never.
  milliseconds give_up_after{0};
  bool operator==(const Hung&) const = default;
};

// signalbox.files and the batches made of them.
struct Files {
  bool enabled = false;
  std::string directory = "/var/lib/signalbox/files";
  std::uint64_t file_bytes_max = limits::kStoredFileBytesMax;
  std::uint64_t total_bytes_max = limits::kStoredFilesBytesMax;
  bool operator==(const Files&) const = default;
};

struct Batches {
  bool enabled = false;     // needs files
  int concurrent_max = 16;  // requests of batches at a time
  bool operator==(const Batches&) const = default;
};

// signalbox.routing_log: one line a routed request in the words of vLLM Production Stack's router.
struct RoutingLog {
  bool enabled = false;
  std::string path = "stdout";  // stderr | stdout | file path
  bool operator==(const RoutingLog&) const = default;
};

}  // namespace signalbox::config
