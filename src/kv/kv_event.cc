#include "kv/kv_event.h"

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "kv/msgpack.h"

namespace signalbox::kv {
namespace {

// Old arrays name fields by position; these are the positions, in the order of the classes' declarations.
constexpr std::array<std::string_view, 11> kStoredFields = {"block_hashes",
                                                            "parent_block_hash",
                                                            "token_ids",
                                                            "block_size",
                                                            "lora_id",
                                                            "medium",
                                                            "lora_name",
                                                            "extra_keys",
                                                            "group_idx",
                                                            "kv_cache_spec_kind",
                                                            "kv_cache_spec_sliding_window"};
constexpr std::array<std::string_view, 3> kRemovedFields = {"block_hashes", "medium", "group_idx"};

std::optional<EngineBlock> read_block(MsgpackReader& in) {
  if (in.next_is_integer()) return engine_block(*in.integer());
  const auto name = in.bytes();
  if (!name || name->size() > limits::kKvHashBytesMax) return std::nullopt;
  return engine_block(*name);
}

bool read_blocks(MsgpackReader& in, std::vector<EngineBlock>& out) {
  if (in.nil()) return true;
  const auto count = in.array();
  if (!count) return false;
  out.reserve(*count);
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto block = read_block(in);
    if (!block) return false;
    out.push_back(*block);
  }
  return true;
}

bool read_tokens(MsgpackReader& in, std::vector<std::uint32_t>& out) {
  const auto count = in.array();
  if (!count) return false;
  out.reserve(*count);
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto token = in.integer();
    if (!token) return false;
    out.push_back(static_cast<std::uint32_t>(*token));
  }
  return true;
}

bool read_text(MsgpackReader& in, std::string& out) {
  if (in.nil()) return true;
  const auto text = in.bytes();
  if (!text) return false;
  out = *text;
  return true;
}

bool read_tier(MsgpackReader& in, Tier& out) {
  std::string medium;
  if (!read_text(in, medium)) return false;
  std::ranges::transform(medium, medium.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
  if (medium.empty() || medium == "GPU") {
    out = Tier::kGpu;
  } else {
    out = medium == "CPU" ? Tier::kCpu : Tier::kStorage;
  }
  return true;
}

bool read_group(MsgpackReader& in, std::uint32_t& out) {
  if (in.nil()) return true;
  const auto group = in.integer();
  if (!group) return false;
  out = static_cast<std::uint32_t>(*group);
  return true;
}

// One block's extra keys: the adapter, the salt of a first block, and what images and embeddings it holds.
bool read_extra_keys_of_block(MsgpackReader& in, std::uint64_t& extra,
                              std::vector<std::string>& texts) {
  if (in.nil()) return true;
  const auto keys = in.array();
  if (!keys) return false;
  for (std::uint32_t i = 0; i < *keys; ++i) {
    if (in.next_is_bytes()) {
      const auto text = in.bytes();
      if (!text) return false;
      texts.emplace_back(*text);
      continue;
    }
    const auto raw = in.skip();
    if (!raw) return false;
    extra = hash64(*raw, extra + 1);
  }
  return true;
}

bool read_extra_keys(MsgpackReader& in, Stored& out, std::vector<std::vector<std::string>>& texts) {
  if (in.nil()) return true;
  const auto blocks = in.array();
  if (!blocks) return false;
  out.extras.assign(*blocks, 0);
  texts.resize(*blocks);
  for (std::uint32_t i = 0; i < *blocks; ++i)
    if (!read_extra_keys_of_block(in, out.extras[i], texts[i])) return false;
  return true;
}

// Bare texts are the adapter's name, then the salt in a first block; anything else is a digest of something we do not see.
void sort_texts(Stored& stored, const std::vector<std::vector<std::string>>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    bool salt_expected = i == 0 && !stored.parent;
    for (const auto& text : texts[i]) {
      if (text == stored.adapter && !text.empty()) continue;
      if (std::exchange(salt_expected, false)) {
        stored.cache_salt = text;
      } else {
        stored.extras[i] = hash64(text, stored.extras[i] + 1);
      }
    }
  }
}

class StoredReader {
 public:
  bool field(std::string_view name, MsgpackReader& in) {
    if (name == "block_hashes") return read_blocks(in, stored_.blocks);
    if (name == "parent_block_hash") return in.nil() || (stored_.parent = read_block(in));
    if (name == "token_ids") return in.nil() || read_tokens(in, stored_.tokens);
    if (name == "block_size") return read_group(in, stored_.block_tokens);
    if (name == "medium") return read_tier(in, stored_.tier);
    if (name == "lora_name") return read_text(in, stored_.adapter);
    if (name == "extra_keys") return read_extra_keys(in, stored_, texts_);
    if (name == "group_idx") return read_group(in, stored_.group);
    if (name == "kv_cache_spec_kind") return read_kind(in);
    return in.skip().has_value();
  }
  Stored take() {
    sort_texts(stored_, texts_);
    return std::move(stored_);
  }

 private:
  bool read_kind(MsgpackReader& in) {
    std::string kind;
    if (!read_text(in, kind)) return false;
    stored_.whole_prefix = kind.empty() || kind == "full_attention" || kind == "mla_attention" ||
                           kind == "sink_full_attention";
    return true;
  }
  Stored stored_;
  std::vector<std::vector<std::string>> texts_;
};

bool read_removed_field(Removed& removed, std::string_view name, MsgpackReader& in) {
  if (name == "block_hashes") return read_blocks(in, removed.blocks);
  if (name == "medium") return read_tier(in, removed.tier);
  if (name == "group_idx") return read_group(in, removed.group);
  return in.skip().has_value();
}

using ReadField = std::function<bool(std::string_view name, MsgpackReader& in)>;

// Fields of an event in either form; `positions` are the names of an array's elements behind the class name.
bool read_fields(MsgpackReader& in, bool is_array, std::uint32_t count,
                 std::span<const std::string_view> positions, const ReadField& read) {
  for (std::uint32_t i = 0; i < count; ++i) {
    std::optional<std::string_view> name;
    if (!is_array) {
      name = in.bytes();
    } else {
      name = i < positions.size() ? positions[i] : std::string_view("unknown");
    }
    if (!name || !read(*name, in)) return false;
  }
  return true;
}

bool read_event(MsgpackReader& in, Batch& batch) {
  const bool is_array = in.next_is_array();
  const auto count = is_array ? in.array() : in.map();
  if (!count || *count == 0) return false;
  // msgspec writes the tag first.
  if (!is_array && in.bytes() != "type") return false;
  const auto type = in.bytes();
  if (!type) return false;
  const std::uint32_t left = *count - 1;
  if (*type == "BlockStored") {
    StoredReader stored;
    const auto field = [&](std::string_view name, MsgpackReader& from) {
      return stored.field(name, from);
    };
    if (!read_fields(in, is_array, left, kStoredFields, field)) return false;
    batch.events.emplace_back(stored.take());
    return true;
  }
  if (*type == "BlockRemoved") {
    Removed removed;
    const auto field = [&](std::string_view name, MsgpackReader& from) {
      return read_removed_field(removed, name, from);
    };
    if (!read_fields(in, is_array, left, kRemovedFields, field)) return false;
    batch.events.emplace_back(std::move(removed));
    return true;
  }
  const bool cleared = *type == "AllBlocksCleared";
  const auto skip = [](std::string_view, MsgpackReader& from) { return from.skip().has_value(); };
  if (!read_fields(in, is_array, left, {}, skip)) return false;
  cleared ? void(batch.events.emplace_back(Cleared{})) : void(++batch.ignored);
  return true;
}

std::unexpected<Error> malformed() { return fail(Code::kCorrupt, "malformed batch of KV events"); }

}  // namespace

EngineBlock engine_block(std::string_view name) { return hash64(name, 1); }
EngineBlock engine_block(std::uint64_t name) { return mix64(name + 0x9e3779b97f4a7c15ULL); }

Result<Batch> decode_batch(std::string_view payload) {
  if (payload.size() > limits::kKvMessageBytesMax) return malformed();
  MsgpackReader in(payload);
  Batch batch;
  const auto fields = in.array();
  if (!fields || *fields < 2) return malformed();
  const auto timestamp = in.number();
  const auto events = in.array();
  if (!timestamp || !events) return malformed();
  batch.timestamp = *timestamp;
  batch.events.reserve(*events);
  for (std::uint32_t i = 0; i < *events; ++i)
    if (!read_event(in, batch)) return malformed();
  if (*fields > 2 && !in.nil()) {
    const auto rank = in.integer();
    if (!rank) return malformed();
    batch.rank = static_cast<std::uint32_t>(*rank);
  }
  for (std::uint32_t i = 3; i < *fields; ++i)
    if (!in.skip()) return malformed();
  if (!in.at_end()) return malformed();
  return batch;
}

namespace {

struct Encoder {
  MsgpackWriter& out;

  void names(const std::vector<std::uint64_t>& blocks) const {
    out.text("block_hashes").array(static_cast<std::uint32_t>(blocks.size()));
    for (const auto block : blocks) out.integer(block);
  }
  void operator()(const NamedStored& stored) const {
    out.map(11).text("type").text("BlockStored");
    names(stored.blocks);
    out.text("parent_block_hash");
    stored.parent ? out.integer(*stored.parent) : out.nil();
    out.text("token_ids").array(static_cast<std::uint32_t>(stored.tokens.size()));
    for (const auto token : stored.tokens) out.integer(token);
    out.text("block_size").integer(stored.block_tokens);
    out.text("lora_id");
    stored.adapter.empty() ? out.nil() : out.integer(1);
    out.text("medium").text("GPU").text("lora_name");
    stored.adapter.empty() ? out.nil() : out.text(stored.adapter);
    extra_keys(stored);
    out.text("group_idx").integer(0).text("kv_cache_spec_kind").text("full_attention");
  }
  void extra_keys(const NamedStored& stored) const {
    out.text("extra_keys").array(static_cast<std::uint32_t>(stored.blocks.size()));
    for (std::size_t i = 0; i < stored.blocks.size(); ++i) {
      const bool salted = i == 0 && !stored.parent && !stored.cache_salt.empty();
      const std::uint32_t count = (salted ? 1 : 0) + (stored.adapter.empty() ? 0 : 1);
      count == 0 ? out.nil() : out.array(count);
      if (!stored.adapter.empty()) out.text(stored.adapter);
      if (salted) out.text(stored.cache_salt);
    }
  }
  void operator()(const NamedRemoved& removed) const {
    out.map(4).text("type").text("BlockRemoved");
    names(removed.blocks);
    out.text("medium").text("GPU").text("group_idx").integer(0);
  }
  void operator()(const Cleared&) const { out.map(1).text("type").text("AllBlocksCleared"); }
};

}  // namespace

std::string encode_batch(double timestamp, const std::vector<NamedEvent>& events,
                         std::uint32_t rank) {
  std::string bytes;
  MsgpackWriter out(bytes);
  out.array(3).number(timestamp).array(static_cast<std::uint32_t>(events.size()));
  for (const auto& event : events) std::visit(Encoder{out}, event);
  out.integer(rank);
  return bytes;
}

}  // namespace signalbox::kv
