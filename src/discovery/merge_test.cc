#include "discovery/merge.h"

#include <gtest/gtest.h>

namespace signalbox::discovery {
namespace {

config::BackendRef backend(const std::string& host) {
  config::BackendRef ref;
  ref.host = host;
  ref.port = 8000;
  return ref;
}

class Merge : public ::testing::Test {
 protected:
  // What the engine at a host lists, as it would be learnt from it.
  void say(const std::string& host, std::vector<ServedModel> models) {
    const auto set = table.current();
    for (const auto& entry : set->endpoints()) {
      if (entry.backend.host == host) table.learn(*entry.endpoint, {std::move(models)});
    }
  }
  void publish() { table.publish(*base, placements); }
  const config::Config& merge() {
    merged = merge_engines(base, placements, *table.current(), seen);
    return *merged;
  }

  std::shared_ptr<config::Config> base = std::make_shared<config::Config>();
  std::vector<Placement> placements;
  EndpointTable table;
  SeenModels seen;
  std::shared_ptr<const config::Config> merged;
};

TEST_F(Merge, AnEngineWithoutAModelServesWhatItLists) {
  placements = {{"", backend("a")}, {"", backend("b")}};
  publish();
  EXPECT_TRUE(merge().providers.models.empty()) << "nobody has said anything yet";
  say("a", {{"big", "", ""}, {"small", "", ""}});
  say("b", {{"small", "", ""}});
  merge();
  ASSERT_NE(merged->find_model("small"), nullptr);
  EXPECT_EQ(merged->find_model("small")->backends.size(), 2u);
  EXPECT_EQ(merged->find_model("big")->backends.size(), 1u);
}

TEST_F(Merge, AdaptersComeUnderTheirBaseAndGoWhenUnloaded) {
  placements = {{"base", backend("a")}};
  publish();
  say("a", {{"base", "", ""}, {"sql", "base", ""}});
  merge();
  ASSERT_EQ(merged->find_model("base")->loras.size(), 1u);
  EXPECT_EQ(merged->find_model("base")->loras[0].name, "sql");
  EXPECT_EQ(merged->find_model("sql"), nullptr);
  say("a", {{"base", "", ""}});
  EXPECT_TRUE(merge().find_model("base")->loras.empty());
}

TEST_F(Merge, AnAdapterOfAModelThatTheEngineCallsOtherwiseIsFound) {
  placements = {{"short-name", backend("a")}};
  publish();
  say("a", {{"org/long-name", "", ""}, {"sql", "org/long-name", ""}});
  merge();
  ASSERT_EQ(merged->find_model("short-name")->loras.size(), 1u);
  EXPECT_EQ(merged->find_model("org/long-name"), nullptr) << "the file said what it serves";
}

TEST_F(Merge, AModelThatHasGoneStaysKnown) {
  placements = {{"m", backend("a")}};
  publish();
  merge();
  placements.clear();
  merge();
  ASSERT_NE(merged->find_model("m"), nullptr);
  EXPECT_TRUE(merged->find_model("m")->backends.empty());
}

TEST_F(Merge, NothingNewIsTheSameConfiguration) {
  base->providers.models.push_back({});
  base->providers.models[0].name = "m";
  base->providers.models[0].has_provider = true;
  base->providers.models[0].backends = {backend("a")};
  publish();
  merge();
  EXPECT_EQ(merged, std::shared_ptr<const config::Config>(base));
}

}  // namespace
}  // namespace signalbox::discovery
