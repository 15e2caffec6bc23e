#include "pipeline/api_routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "pipeline/api_classify.h"
#include "pipeline/api_embed.h"
#include "pipeline/api_info.h"
#include "pipeline/explain.h"
#include "pipeline/naming.h"

namespace signalbox::pipeline {
namespace {

net::Task<Result<std::string>> evaluate(ApiCall call) {
  ExplainOptions options;
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(options.exhaustive, flag_option(document.root(), "evaluate_all_signals", false));
  exchange::ClientRequest client = call.client;
  SBX_CO_TRY(client.body, chat_body(call.client.body, *call.snapshot.config));
  client.path = "/v1/chat/completions";
  SBX_CO_TRY(const auto explanation, co_await explain(std::move(client), call.identity,
                                                      &call.snapshot, &call.loop, options));
  co_return to_json(explanation);
}

struct Post {
  std::string_view path;
  net::Task<Result<std::string>> (*answer)(ApiCall);
};
constexpr std::array kPosts{
    Post{"/api/v1/eval", evaluate},
    Post{"/api/v1/classify/intent", classify_intent},
    Post{"/api/v1/classify/pii", classify_pii},
    Post{"/api/v1/classify/security", classify_security},
    Post{"/api/v1/classify/fact-check", classify_fact_check},
    Post{"/api/v1/classify/user-feedback", classify_user_feedback},
    Post{"/api/v1/classify/combined", classify_combined},
    Post{"/api/v1/classify/batch", classify_batch},
    Post{"/api/v1/embeddings", embed_texts},
    Post{"/api/v1/similarity", compare_pair},
    Post{"/api/v1/similarity/batch", rank_candidates},
};

struct Get {
  std::string_view path;
  std::string (*answer)(const ApiCall&);
};
constexpr std::array kGets{
    Get{"/info/models", models_info},
    Get{"/info/classifier", classifier_info},
    Get{"/api/v1/embeddings/models", embedding_models_info},
};

std::unexpected<Error> wrong_method(std::string_view path, std::string_view method) {
  return fail(Code::kMethodNotAllowed, fmt::format("{} answers {} only", path, method));
}

}  // namespace

bool is_api_path(std::string_view path) {
  return path.starts_with("/api/v1/") || path.starts_with("/info/");
}

bool asks_built_in_embedding(const exchange::Request& request, const config::Config& config) {
  return request.endpoint == exchange::Endpoint::kEmbeddings &&
         request.model == kBuiltInEmbedding &&
         resolve(config, request.model).kind == NameKind::kUnknown;
}

net::Task<Result<std::string>> answer_api(ApiCall call) {
  const std::string_view path = call.client.path, method = call.client.method;
  if (const auto get = std::ranges::find(kGets, path, &Get::path); get != kGets.end()) {
    if (method != "GET" && method != "HEAD") co_return wrong_method(path, "GET");
    co_return get->answer(call);
  }
  const auto post = std::ranges::find(kPosts, path, &Post::path);
  if (post == kPosts.end()) co_return fail(Code::kNotFound, fmt::format("Unknown path {}", path));
  if (method != "POST") co_return wrong_method(path, "POST");
  co_return co_await post->answer(call);
}

}  // namespace signalbox::pipeline
