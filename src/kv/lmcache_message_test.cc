#include "kv/lmcache_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "base/limits.h"
#include "kv/msgpack.h"

namespace signalbox::kv::lmcache {
namespace {

using testing::SizeIs;

// What LMCache's own worker sent and LMCache's own classes answered (test/e2e/vllm/record_lmcache.py), by who and what.
class Transcript {
 public:
  explicit Transcript(const std::string& version) {
    std::ifstream file(SIGNALBOX_SOURCE_DIR "/test/golden/lmcache/" + version + ".txt");
    for (std::string line; std::getline(file, line);) {
      std::istringstream words(line);
      std::string who;
      std::string what;
      words >> who;
      if (who == "chunks") {
        // As Python prints them: with a sign.
        for (std::string word; words >> word;)
          chunks_.push_back(word.front() == '-' ? static_cast<std::uint64_t>(std::stoll(word))
                                                : std::stoull(word));
        continue;
      }
      words >> what;
      std::string hex;
      words >> hex;
      std::string& payload = payloads_[who + ' ' + what];
      for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        payload += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
    }
  }
  const std::string& operator[](const std::string& label) const {
    static const std::string none;
    const auto found = payloads_.find(label);
    EXPECT_NE(found, payloads_.end()) << label;
    return found == payloads_.end() ? none : found->second;
  }
  template <class T>
  T message(const std::string& label) const {
    auto decoded = decode((*this)[label]);
    EXPECT_TRUE(decoded.has_value()) << label;
    if (!decoded || !std::holds_alternative<T>(*decoded)) {
      ADD_FAILURE() << label << " is something else";
      return {};
    }
    return std::get<T>(*std::move(decoded));
  }
  const std::vector<std::uint64_t>& chunks() const { return chunks_; }

 private:
  std::map<std::string, std::string> payloads_;
  std::vector<std::uint64_t> chunks_;
};

const Worker kWorker{"engine-1", 0};

TEST(LmcacheMessage, ReadsWhatVersion037Pushes) {
  const Transcript recorded("0_3_7");
  const auto presence = recorded.message<Presence>("pushed register");
  EXPECT_EQ(presence.worker, kWorker);
  EXPECT_EQ(presence.ip, "10.0.0.7");
  EXPECT_EQ(presence.port, 28001U);
  EXPECT_EQ(presence.peer_url, "127.0.0.1:28002");
  EXPECT_FALSE(presence.heartbeat);
  EXPECT_TRUE(recorded.message<Presence>("pushed heartbeat").heartbeat);
  ASSERT_THAT(recorded.chunks(), SizeIs(3));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto admit = recorded.message<Operations>("pushed admit-" + std::to_string(i));
    ASSERT_THAT(admit.operations, SizeIs(1));
    EXPECT_EQ(admit.location, "LocalCPUBackend");
    EXPECT_TRUE(admit.operations[0].admit);
    EXPECT_EQ(admit.operations[0].chunk, recorded.chunks()[i]);
    EXPECT_FALSE(admit.operations[0].number);
  }
  const auto evict = recorded.message<Operations>("pushed evict");
  EXPECT_FALSE(evict.operations.at(0).admit);
  EXPECT_EQ(recorded.message<Departure>("pushed deregister").worker, kWorker);
}

TEST(LmcacheMessage, ReadsWhatVersion056Says) {
  const Transcript recorded("0_5_6");
  EXPECT_EQ(recorded.message<Presence>("asked register").ip, "10.0.0.7");
  EXPECT_TRUE(recorded.message<Presence>("asked heartbeat").heartbeat);
  const auto admit = recorded.message<Operations>("pushed admit");
  EXPECT_EQ(admit.worker, kWorker);
  ASSERT_EQ(admit.operations.size(), recorded.chunks().size());
  for (std::size_t i = 0; i < admit.operations.size(); ++i) {
    EXPECT_TRUE(admit.operations[i].admit);
    EXPECT_EQ(admit.operations[i].chunk, recorded.chunks()[i]);
    EXPECT_EQ(admit.operations[i].number, static_cast<std::int64_t>(i));
  }
  const auto evict = recorded.message<Operations>("pushed evict");
  EXPECT_FALSE(evict.operations.at(0).admit);
  const auto start = recorded.message<SyncStart>("asked sync-start");
  EXPECT_EQ(start.sync, "engine-1_0_5ca1ab1e");
  EXPECT_EQ(start.chunks, recorded.chunks().size() - 1);
  EXPECT_EQ(start.batches, 1U);
  const auto batch = recorded.message<SyncBatch>("pushed sync-batch");
  EXPECT_EQ(batch.chunks, (std::vector(recorded.chunks().begin() + 1, recorded.chunks().end())));
  EXPECT_EQ(recorded.message<SyncEnd>("pushed sync-end").sync, start.sync);
  EXPECT_EQ(recorded.message<SyncStatus>("asked sync-status").sync, start.sync);
  EXPECT_EQ(recorded.message<PeerLookup>("asked peers").chunks,
            (std::vector(recorded.chunks().begin(), recorded.chunks().begin() + 2)));
  EXPECT_EQ(recorded.message<Departure>("pushed deregister").worker, kWorker);
}

TEST(LmcacheMessage, AnswersAsLmcachesOwnClassesDo) {
  const Transcript recorded("0_5_6");
  EXPECT_EQ(heartbeat_answer(""), recorded["answer heartbeat"]);
  EXPECT_EQ(heartbeat_answer("chunks_unknown"), recorded["answer heartbeat-sync"]);
  EXPECT_EQ(sync_start_answer("engine-1_0_5ca1ab1e", ""), recorded["answer sync-start"]);
  EXPECT_EQ(sync_status_answer("engine-1_0_5ca1ab1e",
                               {.complete = true, .all_workers = 1, .may_go_on = true}),
            recorded["answer sync-status"]);
  const std::string peer = peer_answer({"engine-2", "LocalCPUBackend", 2, "10.0.0.8:28002"});
  EXPECT_EQ(peer, recorded["answer peers"]);
  EXPECT_EQ(peer, Transcript("0_3_7")["answer peers"]);
  // Its port was of the recording.
  const std::string& registered = recorded["answer register"];
  const auto url = registered.find("127.0.0.1:");
  ASSERT_NE(url, std::string::npos);
  EXPECT_EQ(register_answer(registered.substr(url)), registered);
}

TEST(LmcacheMessage, ReadsJsonToo) {
  const auto admit = decode(
      R"({"type":"KVAdmitMsg","instance_id":"mooncake","worker_id":2,"key":18446744073709551615,)"
      R"("location":"RemoteBackend"})");
  ASSERT_TRUE(admit.has_value());
  const auto& operations = std::get<Operations>(*admit);
  EXPECT_EQ(operations.worker, (Worker{"mooncake", 2}));
  EXPECT_EQ(operations.operations.at(0).chunk, ~std::uint64_t{0});
  const auto batch =
      decode(R"({"operations":[{"op_type":"evict","key":-7,"seq_num":4}],"location":"x",)"
             R"("instance_id":"m","type":"BatchedKVOperationMsg","new_field":{"a":[1]}})");
  ASSERT_TRUE(batch.has_value()) << "in any order, with fields of later versions";
  EXPECT_EQ(std::get<Operations>(*batch).operations.at(0).chunk, static_cast<std::uint64_t>(-7));
  EXPECT_EQ(std::get<Operations>(*batch).operations.at(0).number, 4);
}

TEST(LmcacheMessage, ClassesOfNoInterestAreNamed) {
  const auto other = decode(R"({"type":"LookupMsg","tokens":[1,2],"event_id":"e"})");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(std::get<Other>(*other).type, "LookupMsg");
}

TEST(LmcacheMessage, RefusesWhatIsMalformed) {
  std::string no_type;
  MsgpackWriter(no_type).map(1).text("instance_id").text("a");
  std::string long_name;
  MsgpackWriter(long_name)
      .map(2)
      .text("type")
      .text("DeRegisterMsg")
      .text("instance_id")
      .text(std::string(limits::kLmcacheTextBytesMax + 1, 'x'));
  std::string behind;
  MsgpackWriter(behind).map(2).text("type").text("DeRegisterMsg").text("instance_id").text("a");
  ASSERT_TRUE(decode(behind).has_value());
  behind += '\xc0';
  for (const std::string& frame :
       {std::string(), std::string("\x81"), std::string("hello"), no_type, long_name, behind,
        std::string(R"({"type":"RegisterMsg"})"), std::string(R"({"type":7})"),
        std::string(R"({"type":"KVAdmitMsg","instance_id":"a","key":"text"})"),
        std::string(R"({"type":"KVAdmitMsg","instance_id":"a"})"),
        std::string(R"({"type":"FullSyncEndMsg","instance_id":"a"})"),
        std::string(R"({"type":"RegisterMsg","instance_id":"a","port":70000})"),
        std::string(
            R"({"type":"BatchedKVOperationMsg","instance_id":"a","operations":[{"key":1}]})"),
        std::string(R"({"type":"DeRegisterMsg","instance_id":"a"} x)")})
    EXPECT_FALSE(decode(frame).has_value()) << frame;
  EXPECT_FALSE(decode(std::string(limits::kLmcacheMessageBytesMax + 1, '\x80')).has_value());
}

TEST(LmcacheMessage, PlacesAreTiers) {
  EXPECT_EQ(tier_of("LocalCPUBackend"), Tier::kCpu);
  for (const char* place : {"LocalDiskBackend", "RemoteBackend", "GdsBackend", ""})
    EXPECT_EQ(tier_of(place), Tier::kStorage);
}

}  // namespace
}  // namespace signalbox::kv::lmcache
