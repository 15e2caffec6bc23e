#include "balancer/prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace signalbox::balancer {
namespace {

// A request of a system prompt and some user turns.
struct Asked {
  explicit Asked(std::string system_text, std::string user_text)
      : system(std::move(system_text)), user(std::move(user_text)) {
    if (!system.empty()) exchange.request.messages.push_back({"system", system});
    exchange.request.messages.push_back({"user", user});
  }
  void inject(config::PromptMode mode, const std::string& text) {
    decision.plugins.system_prompt.emplace();
    decision.plugins.system_prompt->mode = mode;
    decision.plugins.system_prompt->system_prompt = text;
    exchange.decision.decision = &decision;
    exchange.edits.injected_system_prompt = true;
  }
  // Blocks that both prompts share.
  std::size_t shared_with(const Asked& other) const {
    const Prompt a(exchange);
    const Prompt b(other.exchange);
    const auto x = a.chain().hashes();
    const auto y = b.chain().hashes();
    return static_cast<std::size_t>(std::ranges::mismatch(x, y).in1 - x.begin());
  }
  std::string system;
  std::string user;
  config::Decision decision;
  exchange::Exchange exchange;
};

const std::string kSystem(1000, 's');
const std::string kRules(1000, 'r');
const std::string kQuestion(1000, 'q');

TEST(Prompt, PromptsShareTheirCommonBeginning) {
  EXPECT_EQ(Asked(kSystem, kQuestion).shared_with(Asked(kSystem, kQuestion)), 7U);
  EXPECT_EQ(Asked(kSystem, kQuestion).shared_with(Asked(kSystem, "something else")), 3U);
  EXPECT_EQ(Asked(kSystem, kQuestion).shared_with(Asked(kRules, kQuestion)), 0U);
}

TEST(Prompt, AnInjectedSystemPromptStandsWhereTheEngineSeesIt) {
  Asked replaced("the client's own", kQuestion);
  replaced.inject(config::PromptMode::kReplace, kRules);
  EXPECT_EQ(replaced.shared_with(Asked(kRules, kQuestion)), 7U);
  Asked before(kSystem, kQuestion);
  before.inject(config::PromptMode::kInsert, kRules);
  EXPECT_EQ(before.shared_with(Asked(kRules, kQuestion)), 3U);
  Asked after(kSystem, kQuestion);
  after.inject(config::PromptMode::kAppend, kRules);
  EXPECT_EQ(after.shared_with(Asked(kSystem, kQuestion)), 3U);
}

TEST(Prompt, RolesAreToldApart) {
  Asked one("", kQuestion);
  Asked two("", kQuestion);
  two.exchange.request.messages.front().role = "assistant";
  EXPECT_EQ(one.shared_with(two), 0U);
}

TEST(Prompt, ToolDefinitionsComeFirst) {
  Asked one(kSystem, kQuestion);
  Asked two(kSystem, kQuestion);
  two.exchange.client.body = R"({"tools":[{"type":"function"}]})";
  two.exchange.request.document = *json::Document::parse(two.exchange.client.body);
  two.exchange.request.tool_count = 1;
  EXPECT_EQ(one.shared_with(two), 0U);
}

TEST(Prompt, ALaterTurnBelongsToTheSameConversation) {
  Asked first(kSystem, kQuestion);
  Asked later(kSystem, kQuestion);
  later.exchange.request.messages.push_back({"assistant", "an answer"});
  later.exchange.request.messages.push_back({"user", "and then?"});
  EXPECT_EQ(Prompt(first.exchange).conversation(), Prompt(later.exchange).conversation());
  EXPECT_NE(Prompt(first.exchange).conversation(),
            Prompt(Asked(kSystem, "another").exchange).conversation());
  const exchange::Exchange empty;
  EXPECT_EQ(Prompt(empty).conversation(), std::nullopt);
}

}  // namespace
}  // namespace signalbox::balancer
