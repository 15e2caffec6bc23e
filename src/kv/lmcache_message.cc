#include "kv/lmcache_message.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/limits.h"
#include "json/document.h"
#include "kv/msgpack.h"

namespace signalbox::kv::lmcache {
namespace {

// One value of a message, of either encoding. Nothing: it is of another type, or too long.
class MsgpackField {
 public:
  explicit MsgpackField(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::uint64_t> integer() const { return MsgpackReader(bytes_).integer(); }
  std::optional<std::string> text() const {
    MsgpackReader in(bytes_);
    if (in.nil()) return std::string();
    const auto text = in.bytes();
    if (!text || text->size() > limits::kLmcacheTextBytesMax) return std::nullopt;
    return std::string(*text);
  }
  // Calls element(MsgpackField) -> bool for each of an array.
  template <class Element>
  bool each(Element element) const {
    MsgpackReader in(bytes_);
    const auto count = in.array();
    for (std::uint32_t i = 0; count && i < *count; ++i) {
      const auto value = in.skip();
      if (!value || !element(MsgpackField(*value))) return false;
    }
    return count.has_value();
  }
  // Calls member(name, MsgpackField) -> bool for each of a map.
  template <class Member>
  bool members(Member member) const {
    MsgpackReader in(bytes_);
    const auto count = in.map();
    for (std::uint32_t i = 0; count && i < *count; ++i) {
      const auto name = in.bytes();
      const auto value = name ? in.skip() : std::nullopt;
      if (!value || !member(*name, MsgpackField(*value))) return false;
    }
    return count && in.at_end();
  }

 private:
  std::string_view bytes_;
};

class JsonField {
 public:
  explicit JsonField(json::Value value) : value_(value) {}

  // All that 64 bits with or without a sign hold.
  std::optional<std::uint64_t> integer() const {
    if (value_.type() != json::Type::kNumber) return std::nullopt;
    const std::string_view raw = value_.raw();
    const char* end = raw.data() + raw.size();
    std::uint64_t number = 0;
    if (const auto read = std::from_chars(raw.data(), end, number);
        read.ec == std::errc() && read.ptr == end)
      return number;
    const auto signed_number = value_.integer();
    if (!signed_number) return std::nullopt;
    return static_cast<std::uint64_t>(*signed_number);
  }
  std::optional<std::string> text() const {
    if (value_.is_null()) return std::string();
    if (!value_.is_string() || value_.raw().size() > limits::kLmcacheTextBytesMax)
      return std::nullopt;
    return value_.string();
  }
  template <class Element>
  bool each(Element element) const {
    if (!value_.is_array()) return false;
    for (const json::Value value : value_.element_range())
      if (!element(JsonField(value))) return false;
    return true;
  }
  template <class Member>
  bool members(Member member) const {
    if (!value_.is_object()) return false;
    for (const auto& [key, value] : value_.member_range())
      if (!member(key.string(), JsonField(value))) return false;
    return true;
  }

 private:
  json::Value value_;
};

template <class T>
bool put(T& out, const std::optional<std::uint64_t>& value, std::uint64_t most) {
  if (!value || *value > most) return false;
  out = static_cast<T>(*value);
  return true;
}
bool put(std::string& out, std::optional<std::string> value) {
  if (!value) return false;
  out = *std::move(value);
  return true;
}

template <class Field>
bool read_chunks(const Field& field, std::vector<std::uint64_t>& out) {
  return field.each([&](const Field& element) {
    const auto chunk = element.integer();
    if (chunk) out.push_back(*chunk);
    return chunk.has_value();
  });
}

template <class Field>
bool read_operation(const Field& field, Operations::Operation& out) {
  std::string type;
  bool named = false;
  const bool read = field.members([&](std::string_view name, const Field& value) {
    if (name == "op_type") return put(type, value.text());
    if (name == "key") return named = put(out.chunk, value.integer(), ~std::uint64_t{0});
    if (name != "seq_num") return true;
    const auto number = value.integer();
    if (number) out.number = static_cast<std::int64_t>(*number);
    return number.has_value();
  });
  out.admit = type == "admit";
  return read && named && (out.admit || type == "evict");
}

// All fields that any message has; which ones count depends on its type.
struct Fields {
  std::string type;
  Worker worker;
  bool has_instance = false;
  std::string ip;
  std::uint32_t port = 0;
  std::string peer_url;
  std::string location;
  Operations::Operation single;  // of KVAdmitMsg and KVEvictMsg
  bool has_key = false;
  std::vector<Operations::Operation> operations;
  std::string sync;
  std::uint64_t total = 0;
  std::uint64_t batches = 0;
  std::uint64_t batch = 0;
  std::vector<std::uint64_t> chunks;

  template <class Field>
  bool read(std::string_view name, const Field& value) {
    constexpr std::uint64_t kAny = ~std::uint64_t{0};
    if (name == "type") return put(type, value.text());
    if (name == "instance_id") return has_instance = put(worker.instance, value.text());
    if (name == "worker_id") return put(worker.rank, value.integer(), 0xffffffff);
    if (name == "ip") return put(ip, value.text());
    if (name == "port") return put(port, value.integer(), 65535);
    if (name == "peer_init_url" || name == "distributed_url") return put(peer_url, value.text());
    if (name == "location") return put(location, value.text());
    if (name == "key") return has_key = put(single.chunk, value.integer(), kAny);
    if (name == "operations") {
      return value.each(
          [&](const Field& element) { return read_operation(element, operations.emplace_back()); });
    }
    if (name == "sync_id") return put(sync, value.text());
    if (name == "total_keys") return put(total, value.integer(), kAny);
    if (name == "batch_count") return put(batches, value.integer(), kAny);
    if (name == "batch_id") return put(batch, value.integer(), kAny);
    if (name == "keys" || name == "hashes") return read_chunks(value, chunks);
    return true;
  }

  // Nothing: a field is missing that the type must have.
  std::optional<Message> message() && {
    const bool about_worker = has_instance && !worker.instance.empty();
    if (type == "RegisterMsg" || type == "HeartbeatMsg") {
      if (!about_worker) return std::nullopt;
      return Presence{std::move(worker), type == "HeartbeatMsg", std::move(ip), port,
                      std::move(peer_url)};
    }
    if (type == "DeRegisterMsg" && about_worker) return Departure{std::move(worker)};
    if (type == "KVAdmitMsg" || type == "KVEvictMsg") {
      if (!about_worker || !has_key) return std::nullopt;
      single.admit = type == "KVAdmitMsg";
      return Operations{std::move(worker), std::move(location), {single}};
    }
    if (type == "BatchedKVOperationMsg" && about_worker)
      return Operations{std::move(worker), std::move(location), std::move(operations)};
    if (type == "BatchedP2PLookupMsg" && about_worker)
      return PeerLookup{std::move(worker), std::move(chunks)};
    return std::move(*this).sync_message(about_worker);
  }

  std::optional<Message> sync_message(bool about_worker) && {
    if (type.starts_with("FullSync") && (!about_worker || sync.empty())) return std::nullopt;
    if (type == "FullSyncStartMsg")
      return SyncStart{std::move(worker), std::move(location), std::move(sync), total, batches};
    if (type == "FullSyncBatchMsg") {
      return SyncBatch{std::move(worker), std::move(location), std::move(sync), batch,
                       std::move(chunks)};
    }
    if (type == "FullSyncEndMsg") return SyncEnd{std::move(worker), std::move(sync)};
    if (type == "FullSyncStatusMsg") return SyncStatus{std::move(worker), std::move(sync)};
    static constexpr std::array<std::string_view, 3> kNeedsAWorker = {
        "DeRegisterMsg", "BatchedKVOperationMsg", "BatchedP2PLookupMsg"};
    for (const auto& known : kNeedsAWorker)
      if (type == known) return std::nullopt;
    if (type.empty()) return std::nullopt;
    return Other{std::move(type)};
  }
};

std::unexpected<Error> malformed() { return fail(Code::kCorrupt, "malformed message of LMCache"); }

}  // namespace

Result<Message> decode(std::string_view frame) {
  if (frame.size() > limits::kLmcacheMessageBytesMax) return malformed();
  Fields fields;
  const auto read = [&](std::string_view name, const auto& value) {
    return fields.read(name, value);
  };
  if (frame.starts_with('{')) {
    const auto document = json::Document::parse(frame);
    if (!document || !JsonField(document->root()).members(read)) return malformed();
  } else if (!MsgpackField(frame).members(read)) {
    return malformed();
  }
  auto message = std::move(fields).message();
  if (!message) return malformed();
  return *std::move(message);
}

Tier tier_of(std::string_view location) {
  return location == "LocalCPUBackend" ? Tier::kCpu : Tier::kStorage;
}

namespace {

// Begins an answer of that class with so many fields.
MsgpackWriter begin(std::string& out, std::string_view type, std::uint32_t fields) {
  MsgpackWriter writer(out);
  writer.map(fields + 1).text("type").text(type);
  return writer;
}

}  // namespace

std::string register_answer(std::string_view heartbeat_url) {
  std::string out;
  auto writer = begin(out, "RegisterRetMsg", 1);
  writer.text("extra_config").map(heartbeat_url.empty() ? 0 : 1);
  if (!heartbeat_url.empty()) writer.text("heartbeat_url").text(heartbeat_url);
  return out;
}

std::string heartbeat_answer(std::string_view sync_reason) {
  std::string out;
  auto writer = begin(out, "HeartbeatRetMsg", 1);
  writer.text("commands").array(sync_reason.empty() ? 0 : 1);
  if (sync_reason.empty()) return out;
  writer.map(3).text("command_type").text("full_sync");
  writer.text("reason").text(sync_reason).text("args").nil();
  return out;
}

std::string sync_start_answer(std::string_view sync, std::string_view refusal) {
  std::string out;
  auto writer = begin(out, "FullSyncStartRetMsg", 3);
  writer.text("sync_id").text(sync).text("accepted").boolean(refusal.empty()).text("error_msg");
  refusal.empty() ? writer.nil() : writer.text(refusal);
  return out;
}

std::string sync_status_answer(std::string_view sync, const SyncProgress& progress) {
  std::string out;
  auto writer = begin(out, "FullSyncStatusRetMsg", 5);
  writer.text("sync_id").text(sync).text("is_complete").boolean(progress.complete);
  writer.text("global_progress").number(progress.all_workers);
  writer.text("can_exit_freeze").boolean(progress.may_go_on);
  writer.text("missing_batches").array(static_cast<std::uint32_t>(progress.missing.size()));
  for (const std::uint64_t batch : progress.missing) writer.integer(batch);
  return out;
}

std::string peer_answer(const Peer& peer) {
  std::string out;
  auto writer = begin(out, "BatchedP2PLookupRetMsg", 1);
  writer.text("layout_info").array(1).array(4);
  writer.text(peer.instance).text(peer.location).integer(peer.chunks).text(peer.url);
  return out;
}

std::string error_answer(std::string_view error) {
  std::string out;
  begin(out, "ErrorMsg", 1).text("error").text(error);
  return out;
}

}  // namespace signalbox::kv::lmcache
