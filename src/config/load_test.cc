#include "config/load.h"

#include <gtest/gtest.h>

#include "config/embedded_default.h"

namespace signalbox::config {
namespace {

TEST(Load, EmbeddedDefaultIsTheFoundingScenario) {
  const auto loaded = load_text(embedded_default_yaml(), "examples/mom.yaml");
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Config& config = *loaded->config;
  EXPECT_EQ(config.routing.decisions.size(), 15U);
  EXPECT_EQ(config.routing.signals.domains.size(), 14U);
  EXPECT_TRUE(config.own.sim.embedded);
  EXPECT_EQ(config.own.sim.replicas, 3);
  EXPECT_TRUE(loaded->findings.empty()) << to_text(loaded->findings, 10);
}

}  // namespace
}  // namespace signalbox::config
