#include "index/prefix_index.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <list>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "base/limits.h"
#include "base/random.h"

namespace signalbox::index {
namespace {

constexpr std::uint64_t kModel = 77;

// A chain by the numbers of its blocks; equal beginnings give equal names.
std::vector<BlockHash> chain(const std::vector<int>& numbers) {
  std::vector<BlockHash> names;
  for (const int number : numbers)
    names.push_back(
        mix64((names.empty() ? 0 : names.back()) + static_cast<std::uint64_t>(number) + 1));
  return names;
}

std::vector<BlockHash> path(int conversation, int length) {
  std::vector<int> numbers;
  for (int i = 0; i < length; ++i) numbers.push_back(conversation * 1000 + i);
  return chain(numbers);
}

std::uint32_t held(const PrefixIndex& index, std::span<const BlockHash> names,
                   const EngineCache& engine, std::uint64_t model = kModel) {
  Matches matches;
  index.match(names, model, matches);
  return matches.blocks(engine.slot());
}

TEST(PrefixIndex, AnEngineHoldsWhatItWasSent) {
  PrefixIndex index;
  const auto a = index.add_engine(1000);
  const auto b = index.add_engine(1000);
  index.insert(path(1, 10), kModel, *a);
  EXPECT_EQ(held(index, path(1, 10), *a), 10U);
  EXPECT_EQ(held(index, path(1, 4), *a), 4U);
  EXPECT_EQ(held(index, path(1, 20), *a), 10U);
  EXPECT_EQ(held(index, path(2, 10), *a), 0U);
  EXPECT_EQ(held(index, path(1, 10), *b), 0U);
}

TEST(PrefixIndex, ModelsDoNotShareBlocks) {
  PrefixIndex index;
  const auto engine = index.add_engine(1000);
  index.insert(path(1, 10), kModel, *engine);
  EXPECT_EQ(held(index, path(1, 10), *engine, kModel + 1), 0U);
}

TEST(PrefixIndex, AnEngineThatForgotHoldsNothingUntilItIsSentSomethingAgain) {
  PrefixIndex index;
  const auto engine = index.add_engine(1000);
  index.insert(path(1, 10), kModel, *engine);
  engine->forget();
  EXPECT_EQ(held(index, path(1, 10), *engine), 0U);
  EXPECT_EQ(engine->live_units(), 0);
  index.insert(path(1, 3), kModel, *engine);
  EXPECT_EQ(held(index, path(1, 10), *engine), 3U);
}

TEST(PrefixIndex, AGoneEnginesBlocksAreNotTakenForItsSuccessors) {
  PrefixIndex index;
  auto engine = index.add_engine(1000);
  const auto slot = engine->slot();
  index.insert(path(1, 10), kModel, *engine);
  engine.reset();
  engine = index.add_engine(1000);
  ASSERT_EQ(engine->slot(), slot);
  EXPECT_EQ(held(index, path(1, 10), *engine), 0U);
}

// The bisection of match() against a walk, for engines that hold prefixes of all lengths.
RC_GTEST_PROP(PrefixIndex, AMatchIsTheLongestPrefixOfEachEngine, ()) {
  PrefixIndex index;
  std::vector<std::shared_ptr<EngineCache>> engines;
  std::vector<std::uint32_t> expected;
  const int length = *rc::gen::inRange(1, 150);
  const auto whole = path(1, length);
  for (int i = 0; i < *rc::gen::inRange(1, 12); ++i) {
    engines.push_back(index.add_engine(1 << 20));
    const int part = *rc::gen::inRange(0, length + 1);
    expected.push_back(static_cast<std::uint32_t>(part));
    index.insert(std::span(whole).first(static_cast<std::size_t>(part)), kModel, *engines.back());
  }
  Matches matches;
  index.match(whole, kModel, matches);
  for (std::size_t i = 0; i < engines.size(); ++i)
    RC_ASSERT(matches.blocks(engines[i]->slot()) == expected[i]);
}

// An LRU list of blocks as engines keep it.
class ExactCache {
 public:
  explicit ExactCache(std::size_t capacity) : capacity_(capacity) {}
  void use(std::span<const BlockHash> names) {
    for (std::size_t i = names.size(); i > 0; --i) {
      const auto at = where_.find(names[i - 1]);
      if (at != where_.end()) order_.erase(at->second);
      order_.push_front(names[i - 1]);
      where_[names[i - 1]] = order_.begin();
    }
    while (order_.size() > capacity_) {
      where_.erase(order_.back());
      order_.pop_back();
    }
  }
  std::uint32_t held(std::span<const BlockHash> names) const {
    std::uint32_t count = 0;
    while (count < names.size() && where_.contains(names[count])) ++count;
    return count;
  }

 private:
  std::size_t capacity_;
  std::list<BlockHash> order_;
  std::map<BlockHash, std::list<BlockHash>::iterator> where_;
};

// The mirror lies between an exact cache a few generations smaller and one a few generations larger.
RC_GTEST_PROP(PrefixIndex, WhatAnEngineEvictedIsMirroredToWithinItsGenerations, ()) {
  constexpr int kCapacity = 1280;
  constexpr int kSlack = 3 * kCapacity / 64 + 32;
  PrefixIndex index;
  const auto engine = index.add_engine(kCapacity);
  ExactCache smaller(kCapacity - kSlack);
  ExactCache larger(kCapacity + kSlack);
  Random random(*rc::gen::arbitrary<std::uint64_t>());
  for (int i = 0; i < 600; ++i) {
    // Few conversations often and many seldom, growing from turn to turn.
    const auto conversation =
        static_cast<int>(random.unit() < 0.5 ? random.below(8) : random.below(90));
    const auto names = path(conversation, 1 + static_cast<int>(random.below(32)));
    const std::uint32_t mirrored = held(index, names, *engine);
    RC_ASSERT(mirrored >= smaller.held(names));
    RC_ASSERT(mirrored <= larger.held(names));
    index.insert(names, kModel, *engine);
    smaller.use(names);
    larger.use(names);
    RC_ASSERT(engine->live_units() <= kCapacity);
  }
}

TEST(PrefixIndex, APromptLargerThanTheCacheKeepsItsHead) {
  PrefixIndex index;
  const auto engine = index.add_engine(64);
  index.insert(path(1, 200), kModel, *engine);  // 200 blocks of which the first 32 are one unit
  const auto part = held(index, path(1, 200), *engine);
  EXPECT_GT(part, 20U);
  EXPECT_LT(part, 60U);
}

TEST(PrefixIndex, ASmallerCapacityTakesEffectAtOnce) {
  PrefixIndex index;
  const auto engine = index.add_engine(6400);
  for (int i = 0; i < 200; ++i) index.insert(path(i, 32), kModel, *engine);
  EXPECT_EQ(held(index, path(120, 32), *engine), 32U);
  engine->set_capacity(640);
  EXPECT_EQ(held(index, path(120, 32), *engine), 0U);
  EXPECT_EQ(held(index, path(199, 32), *engine), 32U);
}

TEST(PrefixIndex, EntriesFollowWhatEnginesHoldHoweverMuchPasses) {
  PrefixIndex index;
  const auto engine = index.add_engine(3200);
  for (int i = 0; i < 20'000; ++i) index.insert(path(i, 16), kModel, *engine);
  EXPECT_LT(index.entries(), 3U * 3200U);
}

TEST(PrefixIndex, EntriesAreBoundedWhateverEnginesSayTheyHold) {
  PrefixIndex index;
  const auto engine = index.add_engine(std::int64_t{1} << 40);
  for (int i = 0; i < 70'000; ++i) index.insert(path(i, 20), kModel, *engine);
  EXPECT_LE(index.entries(), limits::kPrefixEntriesMax);
  EXPECT_GT(index.entries(), limits::kPrefixEntriesMax * 9 / 10);
}

TEST(PrefixIndex, MoreEnginesThanAreToldApartCostNothingButTheirMatches) {
  PrefixIndex index;
  std::vector<std::shared_ptr<EngineCache>> engines;
  for (std::size_t i = 0; i < limits::kPrefixEnginesMax; ++i)
    engines.push_back(index.add_engine(10));
  const auto surplus = index.add_engine(10);
  EXPECT_EQ(surplus->slot(), EngineSlots::kNone);
  index.insert(path(1, 4), kModel, *surplus);
  EXPECT_EQ(held(index, path(1, 4), *surplus), 0U);
  engines.pop_back();
  EXPECT_NE(index.add_engine(10)->slot(), EngineSlots::kNone);
}

TEST(PrefixIndex, ThreadsInsertMatchAndLeaveAtTheSameTime) {
  PrefixIndex index;
  const auto shared = index.add_engine(2000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Matches matches;
      for (int round = 0; round < 30; ++round) {
        const auto own = index.add_engine(500);
        for (int i = 0; i < 20; ++i) {
          index.insert(path(i, 30), kModel, *own);
          index.insert(path(i + t, 30), kModel, *shared);
          index.match(path(i, 30), kModel, matches);
          EXPECT_LE(matches.blocks(own->slot()), 30U);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(shared->live_units(), 2000);
}

}  // namespace
}  // namespace signalbox::index
