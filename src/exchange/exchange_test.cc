#include "exchange/exchange.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace signalbox::exchange {
namespace {

// A thousand streams of long prompts held a thousand prompts until their last token.
TEST(Exchange, WhatOnlyAttemptsNeedIsGivenBackAndItsSizeStaysKnown) {
  const std::string prompt(1 << 20, 'a');
  Exchange exchange;
  exchange.client.body =
      R"({"model":"m","messages":[{"role":"user","content":")" + prompt + R"("}]})";
  const std::size_t body_bytes = exchange.client.body.size();
  auto document = json::Document::parse(exchange.client.body);
  ASSERT_TRUE(document.has_value());
  exchange.request.document = *std::move(document);
  exchange.request.model = "m";
  exchange.request.texts.push_back(std::make_unique<std::string>(prompt));
  exchange.request.user_text = *exchange.request.texts.back();
  exchange.request.messages.push_back({.role = "user", .text = exchange.request.user_text});
  exchange.tokens.ids = std::make_shared<const std::vector<std::uint32_t>>(1000, 7U);

  exchange.forget_body();
  EXPECT_LT(exchange.client.body.capacity(), 100U);
  EXPECT_EQ(exchange.client.body_bytes_forgotten, body_bytes);
  EXPECT_EQ(exchange.request.texts.capacity(), 0U);
  EXPECT_EQ(exchange.request.messages.capacity(), 0U);
  EXPECT_TRUE(exchange.request.document.empty());
  EXPECT_TRUE(exchange.request.user_text.empty());
  EXPECT_EQ(exchange.tokens.ids, nullptr);
  EXPECT_EQ(exchange.request.model, "m");
  exchange.forget_body();
  EXPECT_EQ(exchange.client.body_bytes_forgotten, body_bytes);
}

}  // namespace
}  // namespace signalbox::exchange
