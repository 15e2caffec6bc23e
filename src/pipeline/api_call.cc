#include "pipeline/api_call.h"

#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "pipeline/explain.h"
#include "request/read_request.h"

namespace signalbox::pipeline {
namespace {

Result<std::string> bounded(json::Value value, std::string_view key) {
  if (!value.is_string())
    return fail(Code::kInvalidArgument, fmt::format("{} must be a string", key), std::string(key));
  std::string text = value.string();
  if (text.size() > limits::kApiTextBytesMax) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} is longer than {} bytes", key, limits::kApiTextBytesMax),
                std::string(key));
  }
  return text;
}

Result<json::Value> required(json::Value root, std::string_view key) {
  SBX_TRY(const auto value, root.find(key));
  if (!value)
    return fail(Code::kInvalidArgument, fmt::format("{} is missing", key), std::string(key));
  return *value;
}

Result<std::optional<json::Value>> option(json::Value root, std::string_view key) {
  SBX_TRY(const auto options, root.find("options"));
  if (!options) return std::nullopt;
  return options->find(key);
}

using Answer = net::OneShot<encoder::Analysis>;

}  // namespace

Result<std::string> text_member(json::Value root, std::string_view key) {
  SBX_TRY(const auto value, required(root, key));
  return bounded(value, key);
}

Result<std::vector<std::string>> texts_member(json::Value root, std::string_view key,
                                              std::size_t count_max) {
  SBX_TRY(const auto value, required(root, key));
  if (!value.is_array() || value.size() == 0 || value.size() > count_max) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} must be an array of 1 to {} strings", key, count_max),
                std::string(key));
  }
  std::vector<std::string> texts;
  for (const json::Value element : value.element_range()) {
    SBX_TRY(auto text, bounded(element, key));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<bool> flag_option(json::Value root, std::string_view key, bool otherwise) {
  SBX_TRY(const auto value, option(root, key));
  return value ? value->boolean().value_or(otherwise) : otherwise;
}

Result<double> share_option(json::Value root, std::string_view key, double otherwise) {
  SBX_TRY(const auto value, option(root, key));
  if (!value || value->is_null()) return otherwise;
  const auto number = value->number();
  if (!number || !(*number >= 0 && *number <= 1)) {
    return fail(Code::kInvalidArgument, fmt::format("{} must be a number from 0 to 1", key),
                std::string(key));
  }
  return *number;
}

Result<std::string> chat_body(const std::string& body, const config::Config& config) {
  SBX_TRY(const auto document, json::Document::parse(body));
  SBX_TRY(const auto text, document.root().find("text"));
  SBX_TRY(const auto model, document.root().find("model"));
  if (!text) {
    SBX_TRY(const auto messages, document.root().find("messages"));
    if (!messages) return fail(Code::kInvalidArgument, "send either text or messages", "text");
    if (model) return body;
    if (config.auto_model_names.empty())
      return fail(Code::kInvalidArgument, "'model' is required", "model");
    json::Patch patch;
    SBX_CHECK_OK(
        patch.set_member(document.root(), "model", json::quote(config.auto_model_names.front())));
    return patch.apply(body);
  }
  if (!text->is_string()) return fail(Code::kInvalidArgument, "text must be a string", "text");
  const std::string name = model && model->is_string()       ? model->string()
                           : config.auto_model_names.empty() ? std::string("auto")
                                                             : config.auto_model_names.front();
  return body_for_text(name, text->string());
}

Result<std::string> judged_text(const exchange::ClientRequest& client) {
  SBX_TRY(const auto request, request::read_request(client));
  return std::string(request.user_text);
}

const encoder::Encoder* encoder_of(const ApiCall& call) {
  return call.snapshot.encoder_pool == nullptr ? nullptr : &call.snapshot.encoder_pool->encoder();
}

net::Task<Result<std::vector<encoder::Analysis>>> analyze_texts(ApiCall call,
                                                                std::vector<std::string> texts,
                                                                encoder::Demand demand) {
  encoder::Pool* pool = call.snapshot.encoder_pool;
  if (pool == nullptr) co_return fail(Code::kUnavailable, "no encoder is loaded");
  const Deadline deadline =
      Deadline::after(call.loop.now(), limits::kApiTimeout).sooner(call.client.deadline);
  std::vector<encoder::Analysis> analyses;
  std::deque<Answer> waiting;
  for (std::size_t next = 0; analyses.size() < texts.size();) {
    while (next < texts.size() && waiting.size() < limits::kApiTextsAtOnce) {
      Answer answer(call.loop);
      const bool accepted = pool->submit(
          std::move(texts[next++]), demand,
          [answer](encoder::Analysis done) { answer.set(std::move(done)); }, deadline);
      if (!accepted) co_return fail(Code::kOverloaded, "too many texts wait for the encoder");
      waiting.push_back(std::move(answer));
    }
    auto analysis = co_await waiting.front().wait(deadline);
    waiting.pop_front();
    if (!analysis || analysis->failed())
      co_return fail(Code::kUnavailable, "the encoder did not answer in time");
    analyses.push_back(*std::move(analysis));
  }
  co_return analyses;
}

net::Task<Result<encoder::Analysis>> analyze_text(ApiCall call, std::string text,
                                                  encoder::Demand demand) {
  std::vector<std::string> texts;
  texts.push_back(std::move(text));
  SBX_CO_TRY(auto analyses, co_await analyze_texts(call, std::move(texts), demand));
  co_return std::move(analyses.front());
}

double elapsed_ms(const ApiCall& call, TimePoint start) {
  return milliseconds(call.loop.clock().now() - start);
}

}  // namespace signalbox::pipeline
