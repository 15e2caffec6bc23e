#include "upstream/prefill_half.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "json/document.h"
#include "json/splice.h"
#include "json/writer.h"

namespace signalbox::upstream {
namespace {

bool is_this_machine(std::string_view host) {
  constexpr std::array<std::string_view, 6> kNames = {"",    "localhost", "127.0.0.1",
                                                      "::1", "0.0.0.0",   "::"};
  return std::find(kNames.begin(), kNames.end(), host) != kNames.end();
}

Result<std::string> with_host(json::Value params, const std::string& host) {
  SBX_TRY(const auto remote, params.find("remote_host"));
  const bool told = remote && remote->is_string() && !is_this_machine(remote->string());
  if (told || is_this_machine(host)) return std::string(params.raw());
  const std::string text(params.raw());
  SBX_TRY(const auto document, json::Document::parse(text));
  json::Patch patch;
  SBX_CHECK_OK(patch.set_member(document.root(), "remote_host", json::quote(host)));
  return patch.apply(text);
}

}  // namespace

Result<std::string> kv_transfer_params_of(std::string_view answer, const std::string& host) {
  const auto document = json::Document::parse(answer);
  if (!document || !document->root().is_object())
    return fail(Code::kUpstreamProtocol, "the prefill engine's answer is no JSON object");
  const auto params = document->root().find("kv_transfer_params");
  if (!params) return fail(Code::kUpstreamProtocol, "the prefill engine repeats a member");
  if (!*params || !(*params)->is_object()) return std::string();
  auto text = with_host(**params, host);
  if (!text) return fail(Code::kUpstreamProtocol, text.error().message);
  return text;
}

net::Task<Result<std::string>> prefill_answer(Live* live, const Clock* clock, Deadline deadline) {
  const int status = live->head.status;
  const http::BodyReader::Limits limits{.bytes_max = limits::kPrefillAnswerBytesMax,
                                        .idle = limits::kStreamIdleTimeout,
                                        .total = deadline};
  auto body = co_await live->lease.body().read_all(clock, limits);
  live->lease.release();
  if (status >= 400)
    co_return fail(Code::kUnavailable, fmt::format("the prefill engine answered {}", status));
  if (!body) co_return std::unexpected(std::move(body).error());
  co_return kv_transfer_params_of(*body, live->choice.replica->backend.host);
}

}  // namespace signalbox::upstream
