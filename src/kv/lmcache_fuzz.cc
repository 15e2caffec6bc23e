// Fuzz target: messages of LMCache's workers as a hostile engine might send them, to the decoder and on to the registry.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/limits.h"
#include "kv/lmcache_registry.h"

namespace {

// Keeps nothing: the registry's own state is what is tested.
struct Nobody final : signalbox::kv::lmcache::Listener {
  void instance(const std::string&, const std::string&, bool) override {}
  void gone(const std::string&) override {}
  void store(const std::string&, std::span<const std::uint64_t>, signalbox::kv::Tier) override {}
  void remove(const std::string&, std::span<const std::uint64_t>, signalbox::kv::Tier) override {}
  void clear(const std::string&, signalbox::kv::Tier) override {}
  void clear(const std::string&) override {}
  std::optional<signalbox::kv::Tier> holds(const std::string&, std::uint64_t chunk) const override {
    if (chunk % 2 != 0) return std::nullopt;
    return signalbox::kv::Tier::kCpu;
  }
};

}  // namespace

// The input is messages of at most 255 bytes, each behind its length and whether it wants an answer; one of length 0 takes
// all that is left.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view left(reinterpret_cast<const char*>(data), size);
  Nobody nobody;
  signalbox::kv::lmcache::Registry registry({}, nobody);
  signalbox::TimePoint now{};
  while (left.size() > 2) {
    const auto length = static_cast<std::uint8_t>(left[0]);
    const bool asks = (left[1] & 1) != 0;
    left.remove_prefix(2);
    const std::string_view frame = left.substr(0, length == 0 ? left.size() : length);
    left.remove_prefix(frame.size());
    const auto message = signalbox::kv::lmcache::decode(frame);
    if (!message) continue;
    now += std::chrono::seconds(1);
    if (asks) {
      SBX_ASSERT(!registry.asked(*message, now).empty());
    } else {
      registry.pushed(*message, now);
    }
    if (const auto* batch = std::get_if<signalbox::kv::lmcache::SyncBatch>(&*message))
      SBX_ASSERT(batch->chunks.size() <= frame.size());
    registry.expire(now);
  }
  SBX_ASSERT(registry.instances() <= signalbox::limits::kLmcacheInstancesMax);
  return 0;
}
