#include "kv/kv_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "kv/msgpack.h"

namespace signalbox::kv {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

// What vLLM 0.32's own publisher sent (test/e2e/vllm/record_kv_events.py), by label.
std::map<std::string, std::string> transcript() {
  std::ifstream file(SIGNALBOX_SOURCE_DIR "/test/golden/kv_events/vllm_0_32.txt");
  std::map<std::string, std::string> payloads;
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    std::string payload;
    for (std::size_t at = colon + 2; at + 1 < line.size(); at += 2)
      payload += static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16));
    payloads[line.substr(0, colon)] = payload;
  }
  return payloads;
}

Batch decoded(const std::string& label) {
  const auto payloads = transcript();
  const auto found = payloads.find(label);
  EXPECT_NE(found, payloads.end()) << label;
  auto batch = decode_batch(found->second);
  EXPECT_TRUE(batch.has_value()) << label;
  return batch ? *batch : Batch{};
}

Stored stored_of(const std::string& label) {
  auto batch = decoded(label);
  EXPECT_EQ(batch.events.size(), 1U);
  return std::get<Stored>(batch.events.at(0));
}

EngineBlock name(char number) { return engine_block(std::string(32, number)); }

TEST(KvEvent, ReadsTheBatchItself) {
  const auto batch = decoded("empty");
  EXPECT_EQ(batch.timestamp, 0.5);
  EXPECT_EQ(batch.rank, 2U);
  EXPECT_THAT(batch.events, IsEmpty());
}

TEST(KvEvent, ReadsStoredBlocks) {
  const auto stored = stored_of("two blocks");
  EXPECT_THAT(stored.blocks, ElementsAre(name(1), name(2)));
  EXPECT_FALSE(stored.parent);
  EXPECT_THAT(stored.tokens, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(stored.block_tokens, 4U);
  EXPECT_EQ(stored.tier, Tier::kGpu);
  EXPECT_TRUE(stored.whole_prefix);
  EXPECT_THAT(stored.extras, Each(0U));
}

TEST(KvEvent, NamesOfBlocksMayBeIntegers) {
  const auto stored = stored_of("a child, integer names");
  EXPECT_THAT(stored.blocks, ElementsAre(engine_block(std::uint64_t{1} << 63),
                                         engine_block(std::uint64_t{12345})));
  EXPECT_EQ(stored.parent, engine_block(std::uint64_t{77}));
  EXPECT_EQ(stored.tokens.front(), 70000U);
}

TEST(KvEvent, TellsAdapterFromSalt) {
  const auto both = stored_of("adapter and salt");
  EXPECT_EQ(both.adapter, "maths");
  EXPECT_EQ(both.cache_salt, "tenant-7");
  EXPECT_THAT(both.extras, ElementsAre(0U));
  const auto salt = stored_of("salt alone");
  EXPECT_EQ(salt.adapter, "");
  EXPECT_EQ(salt.cache_salt, "tenant-7");
}

TEST(KvEvent, AnImageMakesItsBlockAnother) {
  const auto stored = stored_of("an image");
  EXPECT_NE(stored.extras.at(0), 0U);
  EXPECT_EQ(stored.extras.at(1), 0U);
}

TEST(KvEvent, BlocksOfAWindowAreNoPrefix) {
  const auto stored = stored_of("a window");
  EXPECT_FALSE(stored.whole_prefix);
  EXPECT_EQ(stored.group, 1U);
}

TEST(KvEvent, ReadsLowerTiers) {
  const auto cpu = stored_of("cpu by name only");
  EXPECT_EQ(cpu.tier, Tier::kCpu);
  EXPECT_THAT(cpu.tokens, IsEmpty());
  EXPECT_EQ(stored_of("storage").tier, Tier::kStorage);
}

TEST(KvEvent, ReadsRemovals) {
  const auto batch = decoded("removed");
  ASSERT_EQ(batch.events.size(), 2U);
  const auto& gpu = std::get<Removed>(batch.events[0]);
  EXPECT_THAT(gpu.blocks, ElementsAre(name(2)));
  EXPECT_EQ(gpu.tier, Tier::kGpu);
  EXPECT_EQ(std::get<Removed>(batch.events[1]).tier, Tier::kCpu);
  EXPECT_TRUE(std::holds_alternative<Cleared>(decoded("cleared").events.at(0)));
}

// As vLLM 0.8 to 0.1x and adapters modelled on it write: arrays without field names, shorter ones in older versions.
TEST(KvEvent, ReadsTheOlderForm) {
  std::string payload;
  MsgpackWriter out(payload);
  out.array(2).number(1).array(3);
  out.array(6).text("BlockStored").array(1).integer(11).nil().array(2).integer(5).integer(6);
  out.integer(2).nil();
  out.array(2).text("BlockRemoved").array(1).integer(11);
  out.array(1).text("AllBlocksCleared");
  const auto batch = decode_batch(payload);
  ASSERT_TRUE(batch.has_value());
  ASSERT_EQ(batch->events.size(), 3U);
  const auto& stored = std::get<Stored>(batch->events[0]);
  EXPECT_THAT(stored.blocks, ElementsAre(engine_block(std::uint64_t{11})));
  EXPECT_EQ(stored.block_tokens, 2U);
  EXPECT_FALSE(batch->rank);
}

TEST(KvEvent, EventsOfOtherKindsArePassedOver) {
  std::string payload;
  MsgpackWriter(payload)
      .array(2)
      .number(1)
      .array(2)
      .map(2)
      .text("type")
      .text("BlockMoved")
      .text("to")
      .integer(4)
      .array(1)
      .text("AllBlocksCleared");
  const auto batch = decode_batch(payload);
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->events.size(), 1U);
  EXPECT_EQ(batch->ignored, 1U);
}

TEST(KvEvent, EveryCutOfARealBatchIsRefused) {
  for (const auto& [label, payload] : transcript()) {
    for (std::size_t cut = 0; cut < payload.size(); ++cut)
      EXPECT_FALSE(decode_batch(std::string_view(payload).substr(0, cut)))
          << label << " at " << cut;
  }
}

TEST(KvEvent, WhatIsEncodedIsReadTheSame) {
  const NamedStored stored{.blocks = {1, 2},
                           .parent = std::nullopt,
                           .tokens = {1, 2, 3, 4},
                           .block_tokens = 2,
                           .adapter = "a",
                           .cache_salt = "s"};
  const auto batch = decode_batch(encode_batch(3, {stored, NamedRemoved{{1}}, Cleared{}}, 7));
  ASSERT_TRUE(batch.has_value());
  EXPECT_EQ(batch->rank, 7U);
  ASSERT_EQ(batch->events.size(), 3U);
  const auto& read = std::get<Stored>(batch->events[0]);
  EXPECT_EQ(read.tokens, stored.tokens);
  EXPECT_EQ(read.adapter, "a");
  EXPECT_EQ(read.cache_salt, "s");
  EXPECT_THAT(std::get<Removed>(batch->events[1]).blocks, ElementsAre(read.blocks[0]));
}

}  // namespace
}  // namespace signalbox::kv
