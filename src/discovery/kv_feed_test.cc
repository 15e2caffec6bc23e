#include "discovery/kv_feed.h"

#include <gtest/gtest.h>

#include "discovery/test_wait.h"
#include "kv/publisher.h"

namespace signalbox::discovery {
namespace {

config::Config config_of(const std::vector<const kv::EventPublisher*>& publishers) {
  config::Config config;
  config.own.kv_events.enabled = true;
  config::Model model;
  model.name = "m";
  for (std::size_t i = 0; i < publishers.size(); ++i) {
    config::BackendRef backend;
    backend.name = "engine-" + std::to_string(i);
    backend.host = "127.0.0.1";
    backend.port = static_cast<std::uint16_t>(9000 + i);
    model.backends.push_back(backend);
    config.own.kv_events.engines[backend.name] = {
        .endpoint = publishers[i]->endpoint(), .replay_endpoint = publishers[i]->replay_endpoint()};
  }
  config.providers.models.push_back(model);
  return config;
}

std::unique_ptr<kv::EventPublisher> open() {
  auto publisher = kv::EventPublisher::open({});
  EXPECT_TRUE(publisher.has_value());
  return *std::move(publisher);
}

kv::NamedStored stored(std::uint64_t name, std::uint32_t token) {
  return {.blocks = {name},
          .parent = std::nullopt,
          .tokens = {token, token, token, token},
          .block_tokens = 4,
          .adapter = {},
          .cache_salt = {}};
}

TEST(KvFeed, FillsTheCachesOfItsEngines) {
  const auto one = open();
  const auto two = open();
  one->publish(1, {stored(1, 7)});
  telemetry::Registry registry;
  telemetry::Instruments instruments(registry);
  EndpointTable table;
  const auto set = table.publish(config_of({one.get(), two.get()}));
  const auto& first = *set->endpoints()[0].endpoint->kv().front();
  const auto& second = *set->endpoints()[1].endpoint->kv().front();
  KvFeed feed(instruments);
  feed.apply(*set);
  EXPECT_TRUE(comes_true([&] { return first.blocks() == 1 && first.known(); }));
  EXPECT_EQ(second.blocks(), 0U);
  // A batch that is dropped on the way is replayed with the next.
  one->publish(2, {stored(2, 8)}, true);
  one->publish(3, {kv::NamedRemoved{{1}}});
  two->publish(4, {stored(1, 9)});
  two->publish(5, {});
  EXPECT_TRUE(comes_true([&] { return second.blocks() == 1; }));
  index::KvMatches matches;
  const std::vector<std::uint32_t> prompt = {8, 8, 8, 8};
  EXPECT_TRUE(comes_true([&] {
    index::KvIndex::begin(matches);
    set->kv_index()->match(prompt, index::kv_root({}, {}), 4, matches);
    return matches.held(first.slot()).tokens[0] == 4 && first.blocks() == 1;
  }));
}

TEST(KvFeed, AnEngineThatIsGoneHoldsNothing) {
  auto publisher = open();
  publisher->publish(1, {stored(1, 7)});
  telemetry::Registry registry;
  telemetry::Instruments instruments(registry);
  EndpointTable table;
  const auto set = table.publish(config_of({publisher.get()}));
  const auto& engine = *set->endpoints()[0].endpoint->kv().front();
  KvFeed feed(instruments);
  feed.apply(*set);
  ASSERT_TRUE(comes_true([&] { return engine.blocks() == 1; }));
  publisher.reset();
  EXPECT_TRUE(comes_true([&] { return engine.blocks() == 0 && !engine.known(); }));
}

TEST(KvFeed, RanksAreOnConsecutivePortsOfTheEnginesHost) {
  config::BackendRef backend;
  backend.host = "engine";
  backend.port = 8000;
  config::KvEvents settings;
  settings.replay_port = 6000;
  settings.data_parallel_ranks = 2;
  const auto publishers = publishers_of(backend, settings);
  ASSERT_EQ(publishers.size(), 2U);
  EXPECT_EQ(publishers[1].endpoint, "tcp://engine:5558");
  EXPECT_EQ(publishers[1].replay_endpoint, "tcp://engine:6001");
  backend.host = "::1";
  EXPECT_EQ(publishers_of(backend, settings)[0].endpoint, "tcp://[::1]:5557");
}

}  // namespace
}  // namespace signalbox::discovery
