#include "discovery/lmcache_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "discovery/test_wait.h"
#include "kv/socket.h"

namespace signalbox::discovery {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

config::Config config_of(const std::vector<std::pair<std::string, std::string>>& backends) {
  config::Config config;
  auto& lmcache = config.own.lmcache;
  lmcache.enabled = true;
  lmcache.pull = lmcache.reply = lmcache.heartbeat = "tcp://127.0.0.1:*";
  lmcache.chunk_tokens = 4;
  config::Model model;
  model.name = "m";
  for (const auto& [name, host] : backends) {
    config::BackendRef backend;
    backend.name = name;
    backend.host = host;
    backend.port = static_cast<std::uint16_t>(9000 + model.backends.size());
    model.backends.push_back(backend);
  }
  config.providers.models.push_back(model);
  return config;
}

std::map<std::string, std::string> placed(const config::Config& config,
                                          const std::map<std::string, std::string>& instances,
                                          const std::string& own_address = "10.9.9.9") {
  EndpointTable table;
  const auto set = table.publish(config);
  return place_instances(set->endpoints(), instances, config.own.lmcache,
                         [&](const std::string& ip) { return ip == own_address; });
}

TEST(PlaceInstances, ByAddress) {
  const auto config = config_of({{"a", "10.0.0.1"}, {"b", "10.0.0.2"}, {"c", "engine-c"}});
  EXPECT_THAT(placed(config, {{"x", "10.0.0.2"}, {"y", "10.0.0.3"}, {"z", ""}}),
              ElementsAre(Pair("http://10.0.0.2:9001", "x")));
}

TEST(PlaceInstances, ByNameOfABackendOrByConfiguration) {
  auto config = config_of({{"pod-1", "10.0.0.1"}, {"pod-2", "10.0.0.1"}, {"pod-3", "10.0.0.1"}});
  config.own.lmcache.engines["10.0.0.1:9002"] = "third";
  EXPECT_THAT(
      placed(config, {{"pod-2", ""}, {"third", "10.0.0.1"}}),
      ElementsAre(Pair("http://10.0.0.1:9001", "pod-2"), Pair("http://10.0.0.1:9002", "third")));
  EXPECT_THAT(placed(config, {{"third", "10.0.0.1"}, {"fourth", "10.0.0.1"}}),
              ElementsAre(Pair("http://10.0.0.1:9002", "third")))
      << "two engines are left at that address";
}

TEST(PlaceInstances, SeveralAtOneAddressAreNotGuessed) {
  const auto config = config_of({{"a", "10.0.0.1"}, {"b", "10.0.0.2"}});
  EXPECT_THAT(placed(config, {{"x", "10.0.0.1"}, {"y", "10.0.0.1"}}), IsEmpty());
}

TEST(PlaceInstances, ThisMachinesEnginesMayBeCalledLocalhost) {
  const auto config = config_of({{"a", "localhost"}, {"b", "10.0.0.2"}});
  EXPECT_THAT(placed(config, {{"x", "10.9.9.9"}}), ElementsAre(Pair("http://localhost:9000", "x")));
  EXPECT_THAT(placed(config, {{"x", "10.9.9.8"}}), IsEmpty());
}

// A worker is elsewhere by its own word, and told another address of this machine it would never be heard.
TEST(LmcacheFeed, WhoListensAtOneAddressTellsWorkersThatOne) {
  telemetry::Registry registry;
  telemetry::Instruments instruments(registry);
  EndpointTable table;
  LmcacheFeed feed(table, instruments);
  feed.apply(*table.publish(config_of({{"a", "10.0.0.1"}})));
  ASSERT_EQ(feed.addresses().size(), 3U);
  const auto context = kv::make_context();
  kv::Socket worker(context.get(), ZMQ_REQ);
  ASSERT_TRUE(worker.connect(feed.addresses()[1]).has_value());
  ASSERT_TRUE(worker.send(
      {R"({"type":"RegisterMsg","instance_id":"x","worker_id":0,"ip":"10.0.0.1","port":1})"}));
  std::optional<kv::Frames> answer;
  ASSERT_TRUE(comes_true([&] { return (answer = worker.receive()).has_value(); }));
  const std::string heartbeat = feed.addresses()[2];
  EXPECT_THAT(answer->at(0),
              testing::HasSubstr(heartbeat.substr(std::string_view("tcp://").size())));
}

TEST(LmcacheFeed, FillsTheCachesOfEnginesAndFollowsThem) {
  telemetry::Registry registry;
  telemetry::Instruments instruments(registry);
  EndpointTable table;
  auto config = config_of({{"a", "10.0.0.1"}, {"b", "10.0.0.2"}});
  const auto first = table.publish(config);
  LmcacheFeed feed(table, instruments);
  EXPECT_THAT(feed.addresses(), IsEmpty());
  feed.apply(*first);
  ASSERT_EQ(feed.addresses().size(), 3U);
  const auto context = kv::make_context();
  kv::Socket push(context.get(), ZMQ_PUSH);
  ASSERT_TRUE(push.connect(feed.addresses()[0]).has_value());
  const std::string who = R"("instance_id":"x","worker_id":0,)";
  push.send({R"({"type":"RegisterMsg",)" + who + R"("ip":"10.0.0.2","port":1})"});
  push.send({R"({"type":"KVAdmitMsg",)" + who + R"("location":"LocalCPUBackend","key":7})"});
  const auto cache_of = [&](std::size_t entry) {
    return table.current()->endpoints()[entry].chunks;
  };
  ASSERT_TRUE(comes_true([&] { return cache_of(1) && cache_of(1)->engine().blocks() == 1; }));
  EXPECT_EQ(cache_of(0), nullptr);
  EXPECT_EQ(instruments.lmcache_instances.with("placed").value(), 1);
  // Engines that are found later are looked at too, and what is known stays.
  config.providers.models[0].backends[1].host = "10.0.0.3";
  feed.apply(*table.publish(config));
  EXPECT_EQ(cache_of(1), nullptr);
  config.providers.models[0].backends[0].host = "10.0.0.2";
  feed.apply(*table.publish(config));
  ASSERT_NE(cache_of(0), nullptr);
  EXPECT_EQ(cache_of(0)->engine().blocks(), 1U);
  push.send({R"({"type":"DeRegisterMsg",)" + who + R"("ip":"10.0.0.2","port":1})"});
  EXPECT_TRUE(comes_true([&] { return cache_of(0) == nullptr; }));
  EXPECT_EQ(table.current()->kv_index()->entries(), 0U);
}

}  // namespace
}  // namespace signalbox::discovery
