// States of a stretch of a window, made of the sums that the pass left.
#include "encoder/pooled_states.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/limits.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

constexpr std::size_t kTokens = 21;

class PooledStatesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto text =
        read_file(testing::tiny_directory() + "/config.json", limits::kModelMetadataBytesMax);
    config_ = *BertConfig::parse(*text);
    const auto bert = Bert::load(testing::tiny_directory() + "/model.safetensors", config_);
    ASSERT_TRUE(bert) << bert.error().message;
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < kTokens; ++i) ids.push_back(static_cast<std::int32_t>(2 + i % 9));
    bert->forward(ids, scratch_);
  }
  PooledStates part(std::size_t first, std::size_t end) const {
    PooledStates made;
    made.assign_part(config_, scratch_, kTokens, first, end);
    return made;
  }
  BertConfig config_;
  BertScratch scratch_;
};

TEST_F(PooledStatesTest, AStretchOfEverythingIsTheWhole) {
  PooledStates whole;
  whole.assign(config_, scratch_, kTokens);
  const auto all = part(0, kTokens);
  ASSERT_EQ(all.values().size(), whole.values().size());
  for (std::size_t i = 0; i < whole.values().size(); ++i)
    EXPECT_NEAR(all.values()[i], whole.values()[i], 1e-5) << i;
}

TEST_F(PooledStatesTest, StretchesAddUpToTheWhole) {
  PooledStates whole;
  whole.assign(config_, scratch_, kTokens);
  const auto head = part(0, 16), tail = part(16, kTokens);
  const std::size_t means = (config_.layers + 1) * config_.hidden;
  for (std::size_t i = 0; i < means; ++i) {
    EXPECT_NEAR(whole.values()[i], (16 * head.values()[i] + 5 * tail.values()[i]) / 21, 1e-5) << i;
  }
  for (std::size_t i = means; i < whole.values().size(); ++i)
    EXPECT_EQ(whole.values()[i], std::max(head.values()[i], tail.values()[i])) << i;
}

}  // namespace
}  // namespace signalbox::encoder
