#include "config/engine_list.h"

#include <gtest/gtest.h>

namespace signalbox::config {
namespace {

TEST(EngineList, SaysWhereEnginesAreAndWhatTheyServe) {
  const auto engines = read_engine_list(R"(engines:
  - {url: "http://10.0.0.1:8000", models: [a, b], label: prefill, weight: 3}
  - url: https://[fd00::1]
    draining: true
  - http://plain:80/base
)",
                                        "engines.yaml");
  ASSERT_TRUE(engines) << engines.error().message;
  ASSERT_EQ(engines->size(), 3u);
  EXPECT_EQ((*engines)[0].models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ((*engines)[0].backend.weight, 3);
  EXPECT_EQ((*engines)[0].backend.label, "prefill");
  EXPECT_EQ((*engines)[1].backend.port, 443);
  EXPECT_TRUE((*engines)[1].backend.draining);
  EXPECT_TRUE((*engines)[1].models.empty());
  EXPECT_EQ((*engines)[2].backend.base_path, "/base");
}

TEST(EngineList, AnEmptyListIsOne) {
  const auto engines = read_engine_list("engines: []\n", "f");
  ASSERT_TRUE(engines);
  EXPECT_TRUE(engines->empty());
}

TEST(EngineList, MistakesNameFileLineKeyAndRemedy) {
  for (const auto& [text, words] : std::vector<std::pair<const char*, std::vector<const char*>>>{
           {"engines:\n  - {url: ftp://x}\n", {"f:2", "url", "http://host:port"}},
           {"engines:\n  - {url: http://x, modles: [a]}\n", {"f:2", "modles", "models"}},
           {"engines:\n  - {url: http://x, weight: -1}\n", {"f:2", "weight", "whole number"}},
           {"other: 1\n", {"f", "engines", "missing"}},
           {"engines: [\n", {"f"}}}) {
    const auto engines = read_engine_list(text, "f");
    ASSERT_FALSE(engines) << text;
    for (const char* word : words)
      EXPECT_NE(engines.error().message.find(word), std::string::npos) << engines.error().message;
  }
}

}  // namespace
}  // namespace signalbox::config
