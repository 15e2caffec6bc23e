// Messages between LMCache's workers (in the engines) and their controller (here), of LMCache 0.3.7 to 0.5.6. On the wire
// each is a MessagePack map with its class name under "type"; programs beside LMCache may send the same as JSON on the
// socket that takes what needs no answer. Fields that are not known are passed over, fields that came later may be missing.
// Facts: LMCache's v1/cache_controller/message.py, commands/full_sync.py; recorded by test/e2e/vllm/record_lmcache.py.
//
//   to the controller, no answer    DeRegisterMsg, KVAdmitMsg and KVEvictMsg (0.3.7), BatchedKVOperationMsg (since 0.3.11),
//                                   FullSyncBatchMsg, FullSyncEndMsg (0.5); RegisterMsg and HeartbeatMsg before 0.5
//   to the controller, answered     BatchedP2PLookupMsg; since 0.5 RegisterMsg, HeartbeatMsg, FullSyncStartMsg,
//                                   FullSyncStatusMsg
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "kv/kv_event.h"

namespace signalbox::kv::lmcache {

// A worker is one rank of an instance, an instance one engine.
struct Worker {
  std::string instance;
  std::uint32_t rank = 0;
  bool operator==(const Worker&) const = default;
};

// RegisterMsg and HeartbeatMsg.
struct Presence {
  Worker worker;
  bool heartbeat = false;
  std::string ip;
  std::uint32_t port = 0;  // where the worker takes orders
  std::string peer_url;    // where other workers fetch chunks; empty: nowhere
};

struct Departure {
  Worker worker;
};

// Chunks that came or went, in order.
struct Operations {
  struct Operation {
    std::uint64_t chunk = 0;  // its name; a negative one as its two's complement
    bool admit = false;
    std::optional<std::int64_t> number;  // counts up by one; nothing before 0.3.11
  };
  Worker worker;
  std::string location;
  std::vector<Operation> operations;
};

struct SyncStart {
  Worker worker;
  std::string location;
  std::string sync;
  std::uint64_t chunks = 0;
  std::uint64_t batches = 0;
};
struct SyncBatch {
  Worker worker;
  std::string location;
  std::string sync;
  std::uint64_t batch = 0;
  std::vector<std::uint64_t> chunks;
};
struct SyncEnd {
  Worker worker;
  std::string sync;
};
struct SyncStatus {
  Worker worker;
  std::string sync;
};

// "Who else has these chunks?"
struct PeerLookup {
  Worker worker;
  std::vector<std::uint64_t> chunks;
};

// Of a class that is of no interest here.
struct Other {
  std::string type;
};

using Message = std::variant<Presence, Departure, Operations, SyncStart, SyncBatch, SyncEnd,
                             SyncStatus, PeerLookup, Other>;

// Errors: kCorrupt. O(bytes); bounded by limits::kLmcacheMessageBytesMax and kLmcacheTextBytesMax.
Result<Message> decode(std::string_view frame);

// The tier of a storage backend by its name: LocalCPUBackend is the CPU's, all others (disk, remote, GDS) are storage.
Tier tier_of(std::string_view location);

// Answers.
struct Peer {
  std::string instance;
  std::string location;
  std::uint64_t chunks = 0;  // of the asked ones, from the first on
  std::string url;
};
std::string register_answer(std::string_view heartbeat_url);  // empty: no heartbeats wanted
// `sync_reason`: the worker is to tell all it holds; empty: it is not.
std::string heartbeat_answer(std::string_view sync_reason);
std::string sync_start_answer(std::string_view sync, std::string_view refusal);  // empty: accepted
struct SyncProgress {
  bool complete = false;
  double all_workers = 0;              // share of those that are in sync
  bool may_go_on = false;              // the worker may leave the freeze it is in
  std::vector<std::uint64_t> missing;  // batches
};
std::string sync_status_answer(std::string_view sync, const SyncProgress& progress);
std::string peer_answer(const Peer& peer);
std::string error_answer(std::string_view error);

}  // namespace signalbox::kv::lmcache
