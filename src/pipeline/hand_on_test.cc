#include "pipeline/hand_on.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/limits.h"

namespace signalbox::pipeline {
namespace {

using std::chrono::seconds;

constexpr seconds kNow{1'800'000'000};
const Secret kSecret("a secret of both hops");
constexpr std::string_view kBody = R"({"model":"math-expert","messages":[]})";

exchange::HandedOn known() {
  return {.decision = "math;decision",
          .session = "user 7\n",
          .context_tokens = 1234,
          .blocks = {1, 0xffffffffffffffff, 42},
          .prompt_bytes = 800};
}

TEST(HandOn, TheNextHopKnowsWhatTheFirstKnew) {
  const std::string header = hand_on(known(), kBody, kNow, kSecret);
  EXPECT_EQ(header.find_first_not_of("0123456789abcdefv;"), std::string::npos)
      << "whatever names and keys hold, it is a header value";
  const auto taken = take_over(header, kBody, kNow + seconds(59), kSecret);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(*taken, known());
}

TEST(HandOn, ItHoldsForItsBodyItsTimeAndItsSecretOnly) {
  const std::string header = hand_on(known(), kBody, kNow, kSecret);
  EXPECT_FALSE(take_over(header, R"({"model":"other-expert","messages":[]})", kNow, kSecret));
  EXPECT_FALSE(take_over(header, std::string(kBody) + " ", kNow, kSecret));
  EXPECT_FALSE(take_over(header, kBody, kNow + seconds(61), kSecret));
  EXPECT_FALSE(take_over(header, kBody, kNow - seconds(61), kSecret));
  EXPECT_FALSE(take_over(header, kBody, kNow, Secret("another secret of hops")));
}

TEST(HandOn, OfALongPromptTheBlocksAreLeftOutAndTheHeaderStaysShort) {
  auto much = known();
  much.blocks.assign(limits::kHandedOnBlocksMax + 1, 7);
  much.session.assign(100'000, 's');
  much.decision.assign(513, 'd');
  const std::string header = hand_on(much, kBody, kNow, kSecret);
  EXPECT_LT(header.size(), 300U);
  const auto taken = take_over(header, kBody, kNow, kSecret);
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->blocks.empty());
  EXPECT_EQ(taken->session, "");
  much.blocks.resize(limits::kHandedOnBlocksMax);
  much.session.assign(512, 's');
  much.decision.assign(512, 'd');
  EXPECT_LT(hand_on(much, kBody, kNow, kSecret).size(), limits::kHandedOnBytesMax);
}

RC_GTEST_PROP(HandOnProperty, NoByteCanBeChanged, ()) {
  std::string header = hand_on(known(), kBody, kNow, kSecret);
  const auto at = *rc::gen::inRange<std::size_t>(0, header.size());
  const auto to = static_cast<char>(*rc::gen::inRange(32, 127));
  RC_PRE(header[at] != to);
  header[at] = to;
  RC_ASSERT(!take_over(header, kBody, kNow, kSecret));
}

RC_GTEST_PROP(HandOnProperty, NoTextIsBelievedOrBreaksAnything, (const std::string& text)) {
  RC_ASSERT(!take_over(text, kBody, kNow, kSecret));
  RC_ASSERT(!take_over("v1;" + text + ";;;;;;;;", kBody, kNow, kSecret));
}

}  // namespace
}  // namespace signalbox::pipeline
