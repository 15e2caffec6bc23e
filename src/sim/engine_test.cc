#include "sim/engine.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <memory>
#include <string>
#include <vector>

namespace signalbox::sim {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

Engine::Admission submit(Engine& engine, Sequence& sequence, const std::string& prompt,
                         TimePoint now, std::function<void()> on_start = nullptr,
                         const std::string& adapter = "") {
  return engine.submit(sequence, prompt, adapter, 16, now, std::move(on_start));
}

TEST(Engine, PrefillTakesTimeByItsSpeedAndOnePromptFollowsTheOther) {
  Engine engine({.prefill_tokens_per_second = 1000, .decode = 10ms});
  Sequence first(engine);
  Sequence second(engine);
  submit(engine, first, std::string(400, 'a'), kStart);   // 100 tokens
  submit(engine, second, std::string(800, 'b'), kStart);  // 200 tokens
  EXPECT_EQ(first.token_due(0), kStart + 100ms);
  EXPECT_EQ(first.token_due(3), kStart + 130ms);
  EXPECT_EQ(second.token_due(0), kStart + 300ms);
}

TEST(Engine, APromptSeenBeforeIsServedFromThePrefixCache) {
  Engine engine({.prefill_tokens_per_second = 1000});
  const std::string prompt(6400, 'a');  // 1600 tokens, 100 blocks
  Sequence first(engine);
  submit(engine, first, prompt, kStart);
  EXPECT_EQ(first.cached_tokens(), 0U);
  engine.end(first, kStart + 10s);
  Sequence again(engine);
  submit(engine, again, prompt + std::string(400, 'b'), kStart + 10s);
  EXPECT_EQ(again.cached_tokens(), 1600U);
  EXPECT_EQ(again.token_due(0), kStart + 10s + 100ms);
  EXPECT_EQ(engine.prefix_queries(), 3300U);
  EXPECT_EQ(engine.prefix_hits(), 1600U);
}

TEST(Engine, AdaptersDoNotShareCachedPrefixes) {
  Engine engine({.adapters = {"math", "law"}});
  const std::string prompt(640, 'a');
  Sequence math(engine);
  Sequence law(engine);
  Sequence math_again(engine);
  submit(engine, math, prompt, kStart, nullptr, "math");
  submit(engine, law, prompt, kStart, nullptr, "law");
  submit(engine, math_again, prompt, kStart, nullptr, "math");
  EXPECT_EQ(law.cached_tokens(), 0U);
  EXPECT_EQ(math_again.cached_tokens(), 159U);  // all but the last token, which is always computed
  EXPECT_EQ(engine.running_adapters(), "law,math");
}

TEST(Engine, AFullBatchMakesOthersWaitInOrderOfArrival) {
  Engine engine({.running_max = 1, .waiting_max = 2});
  Sequence running(engine);
  Sequence first(engine);
  Sequence second(engine);
  Sequence refused(engine);
  std::vector<int> started;
  EXPECT_EQ(submit(engine, running, "x", kStart), Engine::Admission::kStarted);
  EXPECT_EQ(submit(engine, first, "x", kStart, [&] { started.push_back(1); }),
            Engine::Admission::kQueued);
  EXPECT_EQ(submit(engine, second, "x", kStart, [&] { started.push_back(2); }),
            Engine::Admission::kQueued);
  EXPECT_EQ(submit(engine, refused, "x", kStart), Engine::Admission::kRefused);
  EXPECT_EQ(engine.waiting(), 2U);
  engine.end(running, kStart + 1s);
  EXPECT_EQ(started, (std::vector<int>{1}));
  EXPECT_EQ(first.token_due(0), kStart + 1s);
  engine.end(first, kStart + 2s);
  EXPECT_EQ(started, (std::vector<int>{1, 2}));
  EXPECT_EQ(engine.waiting(), 0U);
}

TEST(Engine, WhoLeavesTheQueueIsNotStarted) {
  Engine engine({.running_max = 1});
  Sequence running(engine);
  submit(engine, running, "x", kStart);
  bool started = false;
  {
    Sequence gone(engine);
    submit(engine, gone, "x", kStart, [&] { started = true; });
  }
  engine.end(running, kStart + 1s);
  EXPECT_FALSE(started);
  EXPECT_EQ(engine.running(), 0U);
}

TEST(Engine, AFullKvCacheMakesOthersWaitButOneSequenceAlwaysRuns) {
  Engine engine({.blocks = 10});
  Sequence large(engine);
  Sequence small(engine);
  EXPECT_EQ(submit(engine, large, std::string(64 * 100, 'a'), kStart), Engine::Admission::kStarted);
  EXPECT_EQ(engine.cache_usage(), 1.0);
  EXPECT_EQ(submit(engine, small, "x", kStart), Engine::Admission::kQueued);
  engine.end(large, kStart);
  EXPECT_TRUE(small.running());
  EXPECT_DOUBLE_EQ(engine.cache_usage(), 0.2);
}

TEST(PrefixCache, NeverHoldsMoreThanItsBlocksAndKeepsTheSharedBeginning) {
  PrefixCache cache(4);
  const std::vector<std::uint64_t> one = {1, 2, 3, 4};
  const std::vector<std::uint64_t> other = {1, 2, 5};
  EXPECT_EQ(cache.use(one).hits, 0U);
  EXPECT_EQ(cache.use(other).hits, 2U);
  EXPECT_EQ(cache.size(), 4U);
  EXPECT_EQ(cache.use(one).hits, 3U);  // 4, the end of the older prompt, had to go
}

TEST(PrefixCache, HitsAreTheCommonBeginningOfTwoPrompts) {
  EXPECT_TRUE(
      rc::check([](const std::string& shared, const std::string& left, const std::string& right) {
        PrefixCache cache(10'000);
        cache.use(hash_blocks(shared + left, 0));
        const std::size_t hits = cache.use(hash_blocks(shared + right, 0)).hits;
        const std::string a = shared + left;
        const std::string b = shared + right;
        std::size_t common = 0;
        while (common < std::min(a.size(), b.size()) && a[common] == b[common]) ++common;
        RC_ASSERT(hits == common / (kTokenBytes * kBlockTokens));
      }));
}

}  // namespace
}  // namespace signalbox::sim
