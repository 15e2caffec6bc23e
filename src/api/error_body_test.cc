#include "api/error_body.h"

#include <gtest/gtest.h>

#include "api/models_list.h"

namespace signalbox::api {
namespace {

TEST(OpenAiError, HasAllFourFieldsAndNullWhereThereIsNothingToSay) {
  EXPECT_EQ(
      openai_error({Code::kModelNotFound, "no model \"x\"", "model"}),
      R"({"error":{"message":"no model \"x\"","type":"invalid_request_error","param":"model",)"
      R"("code":"model_not_found"}})");
  EXPECT_EQ(
      openai_error({Code::kInvalidArgument, "bad", ""}),
      R"({"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}})");
}

TEST(AnthropicError, CarriesTheRequestIdAndItsOwnTypes) {
  EXPECT_EQ(anthropic_error({Code::kRateLimited, "slow down", ""}, "req-1"),
            R"({"type":"error","error":{"type":"rate_limit_error","message":"slow down"},)"
            R"("request_id":"req-1"})");
  EXPECT_EQ(anthropic_error_type(Code::kInvalidArgument), "invalid_request_error");
  EXPECT_EQ(anthropic_error_type(Code::kUnauthenticated), "authentication_error");
  EXPECT_EQ(anthropic_error_type(Code::kPermissionDenied), "permission_error");
  EXPECT_EQ(anthropic_error_type(Code::kModelNotFound), "not_found_error");
  EXPECT_EQ(anthropic_error_type(Code::kPayloadTooLarge), "request_too_large");
  EXPECT_EQ(anthropic_error_type(Code::kOverloaded), "overloaded_error");
  EXPECT_EQ(anthropic_error_type(Code::kUpstreamReset), "api_error");
}

TEST(ErrorEvents, EndAStreamInTheShapeOfTheApi) {
  EXPECT_TRUE(
      openai_error_event({Code::kUpstreamReset, "gone", ""}).starts_with("data: {\"error\""));
  EXPECT_TRUE(anthropic_error_event({Code::kUpstreamReset, "gone", ""}, "r")
                  .starts_with("event: error\ndata: {\"type\":\"error\""));
  EXPECT_TRUE(openai_error_event({Code::kUpstreamReset, "gone", ""}).ends_with("}\n\n"));
}

TEST(ModelsList, NamesTheBaseOfAnAdapter) {
  const ListedModel models[] = {{"base", "vllm"}, {"math", "vllm", "", "base"}};
  EXPECT_EQ(
      models_list(models, 7),
      R"({"object":"list","data":[{"id":"base","object":"model","created":7,"owned_by":"vllm"},)"
      R"({"id":"math","object":"model","created":7,"owned_by":"vllm","parent":"base"}]})");
  EXPECT_EQ(models_list({}, 7), R"({"object":"list","data":[]})");
}

}  // namespace
}  // namespace signalbox::api
