#include "balancer/kv_aware.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "balancer/test_fleet.h"

namespace signalbox::balancer {
namespace {

constexpr std::uint32_t kBlock = 16;

std::vector<std::uint32_t> ids(std::uint32_t from, std::size_t count) {
  std::vector<std::uint32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = from + static_cast<std::uint32_t>(i);
  return tokens;
}

// Three engines of one model, asked with the tokens of a prompt.
class PromptTest : public testing::TestWithParam<config::BalancerPolicy> {
 protected:
  PromptTest() : fleet(GetParam()) {}

  Pick pick(const std::vector<std::uint32_t>& tokens, const std::string& adapter = {}) {
    prompt_.source = exchange::TokenSource::kEngine;
    prompt_.ids = std::make_shared<const std::vector<std::uint32_t>>(tokens);
    auto context = fleet.context();
    context.tokens = &prompt_;
    context.prefill_tokens = static_cast<std::int64_t>(tokens.size());
    candidates_ = fleet.candidates({"m"});
    candidates_.front().adapter = adapter;
    auto pick = fleet.balancer.pick(candidates_, context, {});
    EXPECT_TRUE(pick.has_value());
    return *std::move(pick);
  }

  TestFleet fleet;

 private:
  exchange::PromptTokens prompt_;
  std::vector<exchange::Candidate> candidates_;
};

class KvAwareTest : public PromptTest {
 protected:
  KvAwareTest() {
    fleet.config().own.kv_events.enabled = true;
    fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
    for (const char* host : {"a", "b", "c"}) fleet.endpoint(host).kv().front()->set_known();
  }

  // The engine says that it has stored these, under names of its own.
  void store(const std::string& host, const std::vector<std::uint32_t>& tokens,
             std::size_t tier = 0, std::string_view adapter = {}) {
    std::vector<std::uint64_t> names;
    for (std::size_t i = 0; i < tokens.size() / kBlock; ++i) names.push_back(next_name_++);
    fleet.endpoint(host).kv().front()->store({.blocks = names,
                                              .parent = std::nullopt,
                                              .tokens = tokens,
                                              .block_tokens = kBlock,
                                              .adapter = adapter,
                                              .cache_salt = {},
                                              .extras = {},
                                              .tier = tier});
  }

 private:
  std::uint64_t next_name_ = 1;
};

TEST_P(KvAwareTest, GoesWhereMostOfThePromptIs) {
  store("b", ids(0, 320));
  store("c", ids(0, 1600));
  for (int i = 0; i < 5; ++i) {
    const auto chosen = pick(ids(0, 2000));
    EXPECT_EQ(host_of(chosen), "c");
    EXPECT_EQ(chosen.cache_source, exchange::CacheSource::kKvEvents);
  }
}

TEST_P(KvAwareTest, ATierBelowIsWorthLess) {
  store("a", ids(0, 1600), 2);
  store("b", ids(0, 1600), 1);
  const auto below = pick(ids(0, 1600));
  EXPECT_EQ(host_of(below), "b");
  EXPECT_EQ(below.cached_tokens, 1280);
  store("c", ids(0, 1600), 0);
  EXPECT_EQ(host_of(pick(ids(0, 1600))), "c");
}

TEST_P(KvAwareTest, BlocksOfAnAdapterAreItsOwn) {
  store("a", ids(0, 1600));
  store("b", ids(0, 1600), 0, "maths");
  EXPECT_EQ(host_of(pick(ids(0, 1600), "maths")), "b");
  EXPECT_EQ(host_of(pick(ids(0, 1600))), "a");
}

TEST_P(KvAwareTest, ABurstOfEqualPromptsGoesToOneEngine) {
  store("a", ids(500'000, 16));
  store("b", ids(500'000, 16));
  store("c", ids(500'000, 16));
  std::set<std::string> hosts;
  // None is stored yet while they are chosen; each is done before the next comes.
  for (int i = 0; i < 6; ++i) hosts.insert(host_of(pick(ids(7000, 4096))));
  EXPECT_EQ(hosts.size(), 1U);
}

TEST_P(KvAwareTest, WhatWasEvictedCountsNoMore) {
  store("c", ids(0, 1600));
  EXPECT_EQ(host_of(pick(ids(0, 1600))), "c");
  fleet.endpoint("c").kv().front()->clear();
  store("b", ids(0, 320));
  EXPECT_EQ(host_of(pick(ids(0, 1600))), "b");
}

INSTANTIATE_TEST_SUITE_P(Policies, KvAwareTest,
                         testing::Values(config::BalancerPolicy::kKvAware,
                                         config::BalancerPolicy::kAuto),
                         [](const auto& which) { return std::string(policy_name(which.param)); });

constexpr std::uint32_t kChunk = 64;

// Engines that publish no events, each with an LMCache.
class LmcacheTest : public PromptTest {
 protected:
  LmcacheTest() {
    fleet.config().own.lmcache.enabled = true;
    fleet.config().own.lmcache.chunk_tokens = kChunk;
    fleet.config().own.lmcache.hash_seed = "42";
    fleet.add("m", {{"a", 1}, {"b", 1}, {"c", 1}});
    std::map<std::string, std::shared_ptr<index::ChunkCache>> by_url;
    for (const char* host : {"a", "b", "c"}) {
      caches[host] = std::make_shared<index::ChunkCache>(fleet.set->kv_index()->add_engine());
      by_url[fleet.endpoint(host).url()] = caches[host];
    }
    fleet.table.place_chunks(by_url);
    fleet.set = fleet.table.current();
  }
  void store(const std::string& host, const std::vector<std::uint32_t>& tokens,
             std::size_t tier = 1, std::size_t scheme = 0) {
    std::vector<std::uint64_t> names;
    index::chunk_names(fleet.set->chunk_schemes()[scheme], tokens, kChunk, names);
    caches[host]->store(names, tier);
  }

  std::map<std::string, std::shared_ptr<index::ChunkCache>> caches;
};

TEST_P(LmcacheTest, GoesWhereMostOfThePromptIs) {
  store("b", ids(0, 320));
  store("c", ids(0, 1600));
  for (int i = 0; i < 5; ++i) {
    const auto chosen = pick(ids(0, 2000));
    EXPECT_EQ(host_of(chosen), "c");
    EXPECT_EQ(chosen.cache_source, exchange::CacheSource::kLmcache);
  }
  caches["c"]->clear(1);
  store("b", ids(0, 640));
  EXPECT_EQ(host_of(pick(ids(0, 640))), "b");
}

TEST_P(LmcacheTest, PlacesCountForWhatTheyAreWorth) {
  store("a", ids(0, 1600), 2);
  store("b", ids(0, 1600), 1);
  const auto chosen = pick(ids(0, 1600));
  EXPECT_EQ(host_of(chosen), "b");
  EXPECT_EQ(chosen.cached_tokens, 1280);
}

TEST_P(LmcacheTest, EnginesMayNameTheirChunksByDifferentSchemes) {
  store("a", ids(0, 320), 1, 0);
  store("b", ids(0, 1600), 1, 3);
  EXPECT_EQ(host_of(pick(ids(0, 1600))), "b");
  EXPECT_EQ(caches["a"]->scheme(), 0U);
  EXPECT_EQ(caches["b"]->scheme(), 3U);
  EXPECT_FALSE(caches["c"]->scheme());
}

TEST_P(LmcacheTest, ABurstOfEqualPromptsGoesToOneEngine) {
  for (const char* host : {"a", "b", "c"}) store(host, ids(500'000, kChunk));
  pick(ids(500'000, kChunk));
  std::set<std::string> hosts;
  for (int i = 0; i < 6; ++i) hosts.insert(host_of(pick(ids(7000, 4096))));
  EXPECT_EQ(hosts.size(), 1U);
}

TEST_P(LmcacheTest, OfPromptsShorterThanAChunkItKnowsNothing) {
  store("b", ids(0, 1600));
  EXPECT_EQ(pick(ids(0, kChunk)).cache_source, exchange::CacheSource::kLmcache);
  EXPECT_EQ(pick(ids(0, kChunk - 1)).cache_source, exchange::CacheSource::kEstimate);
}

INSTANTIATE_TEST_SUITE_P(Policies, LmcacheTest,
                         testing::Values(config::BalancerPolicy::kKvAware,
                                         config::BalancerPolicy::kAuto),
                         [](const auto& which) { return std::string(policy_name(which.param)); });

// What the GPU holds is in full, what only LMCache holds at its worth.
TEST(KvAware, EventsAndLmcacheAddUp) {
  TestFleet fleet(config::BalancerPolicy::kKvAware);
  fleet.config().own.kv_events.enabled = true;
  fleet.config().own.lmcache.enabled = true;
  fleet.config().own.lmcache.chunk_tokens = kChunk;
  fleet.add("m", {{"a", 1}, {"b", 1}});
  auto& blocks = *fleet.endpoint("a").kv().front();
  blocks.set_known();
  std::vector<std::uint64_t> names(10);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = i + 1;
  blocks.store({.blocks = names,
                .parent = std::nullopt,
                .tokens = ids(0, 160),
                .block_tokens = kBlock,
                .adapter = {},
                .cache_salt = {},
                .extras = {},
                .tier = 0});
  const auto cache = std::make_shared<index::ChunkCache>(fleet.set->kv_index()->add_engine());
  index::chunk_names(fleet.set->chunk_schemes()[0], ids(0, 640), kChunk, names);
  cache->store(names, 1);
  fleet.table.place_chunks({{fleet.endpoint("a").url(), cache}});
  fleet.set = fleet.table.current();
  exchange::PromptTokens prompt;
  prompt.source = exchange::TokenSource::kEngine;
  prompt.ids = std::make_shared<const std::vector<std::uint32_t>>(ids(0, 1000));
  auto context = fleet.context();
  context.tokens = &prompt;
  context.prefill_tokens = 1000;
  const auto candidates = fleet.candidates({"m"});
  const auto pick = fleet.balancer.pick(candidates, context, {});
  ASSERT_TRUE(pick.has_value());
  EXPECT_EQ(host_of(*pick), "a");
  EXPECT_EQ(pick->cache_source, exchange::CacheSource::kKvEvents);
  EXPECT_EQ(pick->cached_tokens, 160 + (640 - 160) * 8 / 10);
}

TEST(KvAware, WithoutTokenIdsGoesByTheEstimate) {
  TestFleet fleet(config::BalancerPolicy::kKvAware);
  fleet.config().own.kv_events.enabled = true;
  fleet.add("m", {{"a", 1}, {"b", 1}});
  exchange::Exchange exchange;
  const std::string text(8000, 'x');
  exchange.request.messages.push_back({.role = "user", .text = text});
  const Prompt prompt(exchange);
  auto context = fleet.context();
  context.prompt = &prompt;
  context.prefill_tokens = 2000;
  const auto candidates = fleet.candidates({"m"});
  std::string first;
  for (int i = 0; i < 4; ++i) {
    const auto pick = fleet.balancer.pick(candidates, context, {});
    ASSERT_TRUE(pick.has_value());
    EXPECT_EQ(pick->cache_source, exchange::CacheSource::kEstimate);
    if (first.empty()) first = host_of(*pick);
    EXPECT_EQ(host_of(*pick), first);
  }
}

TEST(Roles, EachHalfGoesToItsEngines) {
  TestFleet fleet(config::BalancerPolicy::kRoundRobin);
  auto& split = fleet.config().own.disaggregated_prefill;
  split.enabled = true;
  split.labels = {{"p1", "prefill"}, {"p2:8000", "prefill"}, {"d1", "decode"}, {"d2", "decode"}};
  fleet.add("m", {{"p1", 1}, {"d1", 1}, {"p2", 1}, {"d2", 1}});
  EXPECT_TRUE(fleet.set->find("m")->disaggregated());
  const auto candidates = fleet.candidates({"m"});
  const auto hosts = [&](discovery::Role role) {
    std::multiset<std::string> picked;
    for (int i = 0; i < 4; ++i) {
      auto context = fleet.context();
      context.role = role;
      picked.insert(host_of(*fleet.balancer.pick(candidates, context, {})));
    }
    return picked;
  };
  EXPECT_EQ(hosts(discovery::Role::kPrefill), (std::multiset<std::string>{"p1", "p1", "p2", "p2"}));
  EXPECT_EQ(hosts(discovery::Role::kDecode), (std::multiset<std::string>{"d1", "d1", "d2", "d2"}));
}

TEST(Roles, AnEngineOfTheOtherHalfIsBetterThanNone) {
  TestFleet fleet(config::BalancerPolicy::kRoundRobin);
  auto& split = fleet.config().own.disaggregated_prefill;
  split.enabled = true;
  split.labels = {{"p", "prefill"}, {"d", "decode"}};
  fleet.add("m", {{"p", 1}, {"d", 1}});
  fleet.endpoint("d").set_draining(true);
  auto context = fleet.context();
  context.role = discovery::Role::kDecode;
  const auto candidates = fleet.candidates({"m"});
  EXPECT_EQ(host_of(*fleet.balancer.pick(candidates, context, {})), "p");
  // Prompts are not sent ahead to the engine that will need them anyway.
  fleet.endpoint("d").set_draining(false);
  fleet.endpoint("p").set_draining(true);
  context.role = discovery::Role::kPrefill;
  EXPECT_FALSE(fleet.balancer.pick(candidates, context, {}).has_value());
}

// Labels are whole words, unlike in the router whose configuration this reads.
TEST(Roles, ALabelIsNoPartOfAnother) {
  config::DisaggregatedPrefill settings;
  settings.enabled = true;
  settings.prefill_labels = {"llama-prefill"};
  settings.decode_labels = {"llama-decode"};
  settings.labels = {{"a", "llama"}, {"b", "llama-decode"}};
  config::BackendRef backend;
  backend.host = "a";
  EXPECT_EQ(discovery::role_of(backend, settings), discovery::Role::kAny);
  backend.host = "b";
  EXPECT_EQ(discovery::role_of(backend, settings), discovery::Role::kDecode);
}

}  // namespace
}  // namespace signalbox::balancer
