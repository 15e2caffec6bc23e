#include "discovery/served_models.h"

#include <gtest/gtest.h>

namespace signalbox::discovery {
namespace {

TEST(ServedModels, AdaptersAreListedBesideTheirBase) {
  const auto served = parse_served_models(
      R"({"object":"list","data":[{"id":"qwen","parent":null,"root":"/m"},{"id":"math-expert","parent":"qwen"}]})");
  ASSERT_TRUE(served);
  EXPECT_TRUE(served->has("qwen"));
  ASSERT_TRUE(served->has("math-expert"));
  EXPECT_EQ(served->models[0].parent, "qwen");
  EXPECT_FALSE(served->has("law-expert"));
}

TEST(ServedModels, EntriesWithoutANameAreSkippedAndNonsenseIsAnError) {
  const auto odd = parse_served_models(R"({"data":[{"id":7},{},3,null,{"id":"x"}]})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->models.size(), 1u);
  for (const char* body :
       {"", "[]", "{}", "null", R"({"data":{}})", "<html>", R"({"data":[]} x)"}) {
    const auto bad = parse_served_models(body);
    ASSERT_FALSE(bad) << body;
    EXPECT_EQ(bad.error().code, Code::kUpstreamProtocol);
  }
}

}  // namespace
}  // namespace signalbox::discovery
