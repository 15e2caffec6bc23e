#include "kv/lmcache_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/limits.h"
#include "kv/msgpack.h"

namespace signalbox::kv::lmcache {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using Chunks = std::set<std::uint64_t>;

// What the index would hold.
struct Book final : Listener {
  struct Instance {
    std::string ip;
    std::array<Chunks, kTiers> tiers;
    int begun = 0;
  };
  void instance(const std::string& name, const std::string& ip, bool anew) override {
    Instance& known = instances[name];
    known.ip = ip;
    if (!anew) return;
    known.tiers = {};
    ++known.begun;
  }
  void gone(const std::string& name) override { instances.erase(name); }
  void store(const std::string& name, std::span<const std::uint64_t> chunks, Tier tier) override {
    of(name, tier).insert(chunks.begin(), chunks.end());
  }
  void remove(const std::string& name, std::span<const std::uint64_t> chunks, Tier tier) override {
    for (const auto chunk : chunks) of(name, tier).erase(chunk);
  }
  void clear(const std::string& name, Tier tier) override { of(name, tier).clear(); }
  void clear(const std::string& name) override { instances.at(name).tiers = {}; }
  std::optional<Tier> holds(const std::string& name, std::uint64_t chunk) const override {
    for (std::size_t tier = 0; tier < kTiers; ++tier)
      if (instances.at(name).tiers[tier].contains(chunk)) return static_cast<Tier>(tier);
    return std::nullopt;
  }
  Chunks& of(const std::string& name, Tier tier = Tier::kCpu) {
    return instances.at(name).tiers[static_cast<std::size_t>(tier)];
  }
  std::map<std::string, Instance> instances;
};

// An answer's class and one field of it, as bytes.
struct Answer {
  std::string type;
  std::map<std::string, std::string> fields;
};
Answer read(const std::string& bytes) {
  Answer answer;
  MsgpackReader in(bytes);
  const auto count = in.map().value_or(0);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name(in.bytes().value_or(""));
    const std::string value(in.skip().value_or(""));
    if (name == "type") {
      answer.type = MsgpackReader(value).bytes().value_or("");
    } else {
      answer.fields[name] = value;
    }
  }
  EXPECT_TRUE(in.at_end());
  return answer;
}
bool is_true(const std::string& value) { return value == "\xc3"; }

struct LmcacheRegistry : testing::Test {
  Presence register_of(const std::string& instance, std::uint32_t rank = 0,
                       const std::string& ip = "10.0.0.7") {
    return {{instance, rank}, false, ip, 8001, "peer:" + instance};
  }
  Presence heartbeat_of(const std::string& instance, std::uint32_t rank = 0) {
    auto presence = register_of(instance, rank);
    presence.heartbeat = true;
    return presence;
  }
  void operate(const std::string& instance, bool admit, std::vector<std::uint64_t> chunks,
               std::optional<std::int64_t> number = std::nullopt, std::uint32_t rank = 0,
               const std::string& location = "LocalCPUBackend") {
    Operations operations{{instance, rank}, location, {}};
    for (const auto chunk : chunks) {
      operations.operations.push_back({chunk, admit, number});
      if (number) ++*number;
    }
    registry.pushed(operations, now);
  }
  // Whether the worker is asked to tell all.
  bool sync_wanted(const std::string& instance, std::uint32_t rank = 0) {
    const auto answer = read(registry.asked(heartbeat_of(instance, rank), now));
    EXPECT_EQ(answer.type, "HeartbeatRetMsg");
    return answer.fields.at("commands") != "\x90";
  }
  bool may_go_on(const std::string& instance, const std::string& sync) {
    const auto answer = read(registry.asked(SyncStatus{{instance, 0}, sync}, now));
    EXPECT_EQ(answer.type, "FullSyncStatusRetMsg");
    return is_true(answer.fields.at("can_exit_freeze"));
  }
  bool accepted(const std::string& instance, const std::string& sync, std::uint64_t batches) {
    const auto answer =
        read(registry.asked(SyncStart{{instance, 0}, "LocalCPUBackend", sync, 0, batches}, now));
    EXPECT_EQ(answer.type, "FullSyncStartRetMsg");
    return is_true(answer.fields.at("accepted"));
  }
  void batch(const std::string& instance, const std::string& sync, std::uint64_t number,
             std::vector<std::uint64_t> chunks) {
    registry.pushed(SyncBatch{{instance, 0}, "LocalCPUBackend", sync, number, std::move(chunks)},
                    now);
  }

  Book book;
  Registry registry{
      {.worker_timeout = 30s, .heartbeat_url = [](const std::string& ip) { return ip + ":9002"; }},
      book};
  TimePoint now = TimePoint{} + 1h;
};

TEST_F(LmcacheRegistry, AWorkerThatRegistersIsToldWhereItsHeartbeatsGo) {
  const auto answer = read(registry.asked(register_of("a"), now));
  EXPECT_EQ(answer.type, "RegisterRetMsg");
  EXPECT_NE(answer.fields.at("extra_config").find("10.0.0.7:9002"), std::string::npos);
  EXPECT_EQ(book.instances.at("a").ip, "10.0.0.7");
  EXPECT_FALSE(sync_wanted("a")) << "it has just begun and holds nothing";
}

TEST_F(LmcacheRegistry, ChunksComeAndGoByTheirPlace) {
  registry.pushed(register_of("a"), now);
  operate("a", true, {1, 2, 3});
  operate("a", true, {2}, std::nullopt, 0, "LocalDiskBackend");
  operate("a", false, {2, 3});
  EXPECT_THAT(book.of("a"), ElementsAre(1));
  EXPECT_THAT(book.of("a", Tier::kStorage), ElementsAre(2));
  Operations mixed{{"a", 0}, "LocalCPUBackend", {{7, true, {}}, {7, false, {}}, {8, true, {}}}};
  registry.pushed(mixed, now);
  EXPECT_THAT(book.of("a"), ElementsAre(1, 8)) << "in order";
}

TEST_F(LmcacheRegistry, AnEngineThatBeginsAnewHoldsNothing) {
  registry.pushed(register_of("a"), now);
  operate("a", true, {1}, 0);
  registry.pushed(register_of("a", 0, "10.0.0.8"), now);
  EXPECT_THAT(book.of("a"), IsEmpty());
  EXPECT_EQ(book.instances.at("a").ip, "10.0.0.8");
  operate("a", true, {2}, 0);
  EXPECT_EQ(registry.counts().gaps, 0U) << "its numbers begin anew too";
}

TEST_F(LmcacheRegistry, AWorkerThatLeavesTakesItsChunksAlong) {
  registry.pushed(register_of("a"), now);
  registry.pushed(Departure{{"a", 0}}, now);
  EXPECT_THAT(book.instances, IsEmpty());
  EXPECT_EQ(registry.instances(), 0U);
  registry.pushed(Departure{{"never", 3}}, now);
}

TEST_F(LmcacheRegistry, OneRankSpeaksForTheInstance) {
  registry.pushed(register_of("a", 1), now);
  operate("a", true, {1}, 0, 1);
  EXPECT_THAT(book.of("a"), ElementsAre(1));
  registry.pushed(register_of("a", 0), now);
  EXPECT_THAT(book.of("a"), IsEmpty()) << "from now on rank 0 does";
  operate("a", true, {2}, 0, 0);
  operate("a", true, {3}, 1, 1);
  operate("a", false, {2}, 2, 1);
  EXPECT_THAT(book.of("a"), ElementsAre(2));
  registry.pushed(Departure{{"a", 0}}, now);
  EXPECT_THAT(book.of("a"), IsEmpty());
  EXPECT_TRUE(sync_wanted("a", 1)) << "rank 1 leads, and what it holds we did not keep";
  EXPECT_EQ(registry.workers(), 1U);
}

TEST_F(LmcacheRegistry, WhoSentHeartbeatsAndFallsSilentIsGone) {
  registry.pushed(register_of("beats"), now);
  registry.pushed(register_of("never beat"), now);
  registry.pushed(heartbeat_of("beats"), now);
  now += 29s;
  operate("beats", true, {1});
  now += 29s;
  registry.expire(now);
  EXPECT_EQ(registry.instances(), 2U) << "any word will do";
  now += 2s;
  registry.expire(now);
  EXPECT_EQ(registry.instances(), 1U);
  EXPECT_FALSE(book.instances.contains("beats"));
  EXPECT_EQ(registry.counts().expired, 1U);
}

TEST_F(LmcacheRegistry, ALostOperationVoidsWhatIsKnown) {
  registry.asked(register_of("a"), now);
  operate("a", true, {1, 2}, 0);
  operate("a", true, {3}, 2);
  EXPECT_THAT(book.of("a"), ElementsAre(1, 2, 3));
  operate("a", true, {5}, 4);
  EXPECT_THAT(book.of("a"), ElementsAre(5));
  EXPECT_EQ(registry.counts().gaps, 1U);
  EXPECT_TRUE(sync_wanted("a"));
  EXPECT_FALSE(sync_wanted("a")) << "not with every heartbeat: it stops the worker for seconds";
  now += 61s;
  EXPECT_TRUE(sync_wanted("a"));
}

TEST_F(LmcacheRegistry, ARouterThatComesLaterLearnsAllFromAFullSync) {
  // Operations of a worker that it does not know are better than nothing, and no gap.
  operate("a", true, {9}, 100);
  EXPECT_THAT(book.of("a"), ElementsAre(9));
  EXPECT_TRUE(sync_wanted("a"));
  EXPECT_EQ(book.instances.at("a").ip, "10.0.0.7") << "heartbeats say where it is";
  ASSERT_TRUE(accepted("a", "s1", 2));
  EXPECT_THAT(book.of("a"), IsEmpty());
  batch("a", "s1", 0, {1, 2});
  operate("a", true, {3}, 101);
  EXPECT_FALSE(may_go_on("a", "s1"));
  registry.pushed(SyncEnd{{"a", 0}, "s1"}, now);
  EXPECT_FALSE(may_go_on("a", "s1")) << "a batch is missing";
  batch("a", "other", 1, {77});
  batch("a", "s1", 1, {4});
  EXPECT_TRUE(may_go_on("a", "s1"));
  EXPECT_THAT(book.of("a"), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(registry.counts().syncs_done, 1U);
  now += 61s;
  EXPECT_FALSE(sync_wanted("a"));
}

TEST_F(LmcacheRegistry, MissingBatchesAreNamed) {
  registry.asked(register_of("a"), now);
  ASSERT_TRUE(accepted("a", "s", 4));
  batch("a", "s", 2, {1});
  registry.pushed(SyncEnd{{"a", 0}, "s"}, now);
  const auto answer = read(registry.asked(SyncStatus{{"a", 0}, "s"}, now));
  EXPECT_EQ(answer.fields.at("missing_batches"), std::string("\x93\x00\x01\x03", 4));
  EXPECT_FALSE(is_true(answer.fields.at("is_complete")));
  EXPECT_TRUE(may_go_on("a", "unknown")) << "waiting would not help it";
  EXPECT_FALSE(accepted("a", "huge", limits::kLmcacheSyncBatchesMax + 1));
}

TEST_F(LmcacheRegistry, PeersAreToldWhoHasMost) {
  for (const char* name : {"a", "b", "c"}) registry.asked(register_of(name), now);
  operate("a", true, {1, 2, 3});
  operate("b", true, {1, 2});
  operate("c", true, {1}, std::nullopt, 0, "LocalDiskBackend");
  const auto peer = [&](const std::string& asker, std::vector<std::uint64_t> chunks) {
    const auto bytes = registry.asked(PeerLookup{{asker, 0}, std::move(chunks)}, now);
    EXPECT_EQ(read(bytes).type, "BatchedP2PLookupRetMsg");
    return bytes;
  };
  EXPECT_EQ(peer("c", {1, 2, 3, 4}), peer_answer({"a", "LocalCPUBackend", 3, "peer:a"}));
  EXPECT_EQ(peer("a", {1, 2, 3}), peer_answer({"b", "LocalCPUBackend", 2, "peer:b"}))
      << "not itself";
  EXPECT_EQ(peer("a", {9}), peer_answer({}));
  EXPECT_EQ(peer("a", {}), peer_answer({}));
}

TEST_F(LmcacheRegistry, AnswersWhatItDoesNotKnow) {
  EXPECT_EQ(read(registry.asked(Other{"LookupMsg"}, now)).type, "ErrorMsg");
  EXPECT_EQ(read(registry.asked(Operations{{"a", 0}, "x", {}}, now)).type, "ErrorMsg");
  registry.pushed(Other{"Whatever"}, now);
  EXPECT_EQ(registry.instances(), 0U);
}

TEST_F(LmcacheRegistry, IsBounded) {
  for (std::size_t i = 0; i <= limits::kLmcacheInstancesMax; ++i)
    registry.pushed(register_of(std::to_string(i)), now);
  EXPECT_EQ(registry.instances(), limits::kLmcacheInstancesMax);
  EXPECT_EQ(read(registry.asked(register_of("one more"), now)).type, "ErrorMsg");
  EXPECT_EQ(read(registry.asked(heartbeat_of("one more"), now)).type, "HeartbeatRetMsg");
  operate("one more", true, {1});
  EXPECT_FALSE(book.instances.contains("one more"));
  for (std::uint32_t rank = 0; rank <= limits::kLmcacheWorkersMax; ++rank)
    registry.pushed(register_of("0", rank), now);
  EXPECT_EQ(registry.workers(), limits::kLmcacheInstancesMax - 1 + limits::kLmcacheWorkersMax);
  EXPECT_GE(registry.counts().refused, 4U);
}

}  // namespace
}  // namespace signalbox::kv::lmcache
