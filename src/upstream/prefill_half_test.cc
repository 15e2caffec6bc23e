#include "upstream/prefill_half.h"

#include <gtest/gtest.h>

namespace signalbox::upstream {
namespace {

std::string params(const std::string& answer, const std::string& host) {
  const auto found = kv_transfer_params_of(answer, host);
  return found ? *found : "error: " + found.error().message;
}

TEST(KvTransferParams, ArePassedOnAsTheyAre) {
  EXPECT_EQ(params(R"({"id":"x","kv_transfer_params":{"remote_host":"10.0.0.7","b":[1, 2]}})", "e"),
            R"({"remote_host":"10.0.0.7","b":[1, 2]})");
}

TEST(KvTransferParams, AnEngineThatDoesNotKnowItsAddressIsGivenIt) {
  EXPECT_EQ(params(R"({"kv_transfer_params":{"remote_host":"localhost"}})", "prefill-3"),
            R"({"remote_host":"prefill-3"})");
  EXPECT_EQ(params(R"({"kv_transfer_params":{"remote_host":null}})", "prefill-3"),
            R"({"remote_host":"prefill-3"})");
  EXPECT_EQ(params(R"({"kv_transfer_params":{"a":1}})", "prefill-3"),
            R"({"remote_host":"prefill-3","a":1})");
}

TEST(KvTransferParams, OnOneMachineLoopbackStays) {
  EXPECT_EQ(params(R"({"kv_transfer_params":{"remote_host":"localhost"}})", "127.0.0.1"),
            R"({"remote_host":"localhost"})");
}

TEST(KvTransferParams, MayBeAbsent) {
  EXPECT_EQ(params(R"({"id":"x"})", "e"), "");
  EXPECT_EQ(params(R"({"kv_transfer_params":null})", "e"), "");
}

TEST(KvTransferParams, NonsenseIsAnError) {
  EXPECT_EQ(params("[1]", "e"), "error: the prefill engine's answer is no JSON object");
  EXPECT_EQ(params(R"({"kv_transfer_params":{},"kv_transfer_params":{}})", "e"),
            "error: the prefill engine repeats a member");
}

}  // namespace
}  // namespace signalbox::upstream
