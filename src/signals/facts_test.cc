// Signals that read facts of the request and not its text: context, conversation, metadata, authz.
#include <gtest/gtest.h>

#include "signals/authz.h"
#include "signals/context.h"
#include "signals/conversation.h"
#include "signals/metadata.h"

namespace signalbox::signals {
namespace {

using exchange::SignalState;

struct Facts {
  exchange::ClientRequest client;
  exchange::Identity identity;
  exchange::Request request;
  Inputs inputs() const { return {client, identity, request}; }
};

bool is_match(exchange::SignalValue value) { return value.state == SignalState::kMatch; }

TEST(Context, BothEndsOfTheBandBelongToIt) {
  const std::vector<config::ContextRule> rules = {
      {.name = "long", .min_tokens = 1000, .max_tokens = 2000}};
  const Contexts contexts(rules);
  Facts facts;
  for (const auto& [tokens, expected] :
       {std::pair(999, false), {1000, true}, {2000, true}, {2001, false}}) {
    facts.request.context_tokens = tokens;
    EXPECT_EQ(is_match(contexts.evaluate(0, facts.inputs())), expected) << tokens;
  }
}

TEST(Conversation, CountsMessagesOfARole) {
  config::ConversationRule rule{
      .name = "multi", .feature_type = "count", .source_type = "message", .role = "user"};
  rule.predicate.gte = 2;
  const auto conversations = Conversations::compile(std::vector{rule});
  ASSERT_TRUE(conversations);
  Facts facts;
  facts.request.messages = {{.role = "user"}, {.role = "assistant"}};
  EXPECT_FALSE(is_match(conversations->evaluate(0, facts.inputs())));
  facts.request.messages.push_back({.role = "user"});
  EXPECT_TRUE(is_match(conversations->evaluate(0, facts.inputs())));
}

TEST(Conversation, SeesToolsToolLoopsAndImages) {
  const std::vector<config::ConversationRule> rules = {
      {.name = "tools", .feature_type = "count", .source_type = "tool_definition"},
      {.name = "loop", .feature_type = "exists", .source_type = "active_tool_loop"},
      {.name = "image", .feature_type = "exists", .source_type = "image_content"}};
  const auto conversations = Conversations::compile(rules);
  ASSERT_TRUE(conversations);
  Facts facts;
  facts.request.messages = {{.role = "user"}};
  for (std::uint32_t i = 0; i < 3; ++i)
    EXPECT_FALSE(is_match(conversations->evaluate(i, facts.inputs())));
  facts.request.tool_count = 2;
  facts.request.active_tool_loop = true;
  facts.request.messages[0].has_image = true;
  for (std::uint32_t i = 0; i < 3; ++i)
    EXPECT_TRUE(is_match(conversations->evaluate(i, facts.inputs())));
}

TEST(Conversation, AnUnknownSourceIsRefusedByName) {
  const auto conversations = Conversations::compile(std::vector<config::ConversationRule>{
      {.name = "odd", .feature_type = "count", .source_type = "video"}});
  ASSERT_FALSE(conversations);
  EXPECT_NE(conversations.error().message.find("video"), std::string::npos);
}

class MetadataTest : public ::testing::Test {
 protected:
  bool check(config::MetadataRule rule, const std::vector<std::string>& offered = {}) {
    rule.key = "consent";
    return is_match(MetadataRules(std::vector{rule}, offered).evaluate(0, facts.inputs()));
  }
  Facts facts;
};

TEST_F(MetadataTest, EqualsInAndExists) {
  EXPECT_FALSE(check({.equals = "denied"}));
  EXPECT_FALSE(check({}));
  EXPECT_TRUE(check({.exists = false}));
  facts.request.metadata = {{"other", "x"}, {"consent", "denied"}};
  EXPECT_TRUE(check({.equals = "denied"}));
  EXPECT_FALSE(check({.equals = "granted"}));
  EXPECT_TRUE(check({.in = {"unknown", "denied"}}));
  EXPECT_FALSE(check({.in = {"unknown"}}));
  EXPECT_TRUE(check({.exists = true}));
  EXPECT_FALSE(check({.exists = false}));
  EXPECT_TRUE(check({}));
}

TEST_F(MetadataTest, HeadersCountOnlyWhereOffered) {
  facts.client.headers.add("X-Meta-Consent", "denied");
  EXPECT_FALSE(check({.equals = "denied"}));
  EXPECT_TRUE(check({.equals = "denied"}, {"x-meta-"}));
  EXPECT_FALSE(check({.equals = "denied"}, {"x-meta"}));
}

TEST_F(MetadataTest, AnOfferedHeaderWinsOverTheBody) {
  facts.request.metadata = {{"consent", "granted"}};
  facts.client.headers.add("x-meta-consent", "denied");
  EXPECT_TRUE(check({.equals = "denied"}, {"x-meta-"}));
  EXPECT_TRUE(check({.equals = "granted"}));
}

TEST(Authz, ARoleIsHeldByUsersAndGroupsOfAnyOfItsBindings) {
  const std::vector<config::RoleBinding> bindings = {
      {.name = "staff-binding", .subjects = {{"Group", "staff"}}, .role = "premium"},
      {.name = "vip-binding", .subjects = {{"User", "ada"}}, .role = "premium"}};
  const auto roles = RoleBindings::compile(bindings);
  ASSERT_TRUE(roles);
  const auto premium = roles->find("premium");
  const auto vip = roles->find("vip-binding");
  ASSERT_TRUE(premium && vip);
  EXPECT_FALSE(roles->find("root"));
  Facts facts;
  EXPECT_FALSE(is_match(roles->evaluate(*premium, facts.inputs())));
  facts.identity.user = "ada";
  EXPECT_TRUE(is_match(roles->evaluate(*premium, facts.inputs())));
  EXPECT_TRUE(is_match(roles->evaluate(*vip, facts.inputs())));
  facts.identity = {.user = "bob", .groups = {"guests", "staff"}};
  EXPECT_TRUE(is_match(roles->evaluate(*premium, facts.inputs())));
  EXPECT_FALSE(is_match(roles->evaluate(*vip, facts.inputs())));
  // A group called like a user is no user.
  facts.identity = {.groups = {"ada"}};
  EXPECT_FALSE(is_match(roles->evaluate(*premium, facts.inputs())));
}

TEST(Authz, AnEmptyNameInTheRulesMatchesNobody) {
  const auto roles = RoleBindings::compile(std::vector<config::RoleBinding>{
      {.name = "b", .subjects = {{"User", ""}, {"Group", ""}}, .role = "r"}});
  ASSERT_TRUE(roles);
  Facts facts;
  facts.identity.groups = {""};
  EXPECT_FALSE(is_match(roles->evaluate(*roles->find("r"), facts.inputs())));
}

TEST(Authz, OnlyUsersAndGroupsCanBeSubjects) {
  EXPECT_FALSE(RoleBindings::compile(std::vector<config::RoleBinding>{
      {.name = "b", .subjects = {{"ServiceAccount", "x"}}, .role = "r"}}));
}

}  // namespace
}  // namespace signalbox::signals
