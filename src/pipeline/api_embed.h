// Embeddings and similarity of texts by the built-in model: the operator's API and OpenAI's.
#pragma once

#include <string>

#include "pipeline/api_call.h"

namespace signalbox::pipeline {

// What the built-in model is called in requests and answers.
inline constexpr std::string_view kBuiltInEmbedding = "signalbox-embed";

// {texts, model, dimension} -> {embeddings [{text, embedding, dimension, ...}], total_count}.
net::Task<Result<std::string>> embed_texts(ApiCall call);
// {text1, text2} -> {similarity}: the cosine, -1..1.
net::Task<Result<std::string>> compare_pair(ApiCall call);
// {query, candidates, top_k} -> {matches [{index, similarity, text}]}, most similar first.
net::Task<Result<std::string>> rank_candidates(ApiCall call);
// OpenAI's POST /v1/embeddings: input a string or an array of strings, encoding_format float or
// base64.
net::Task<Result<std::string>> openai_embeddings(ApiCall call);

// Errors of all: kInvalidArgument (param names the field), kUnavailable, kOverloaded.

}  // namespace signalbox::pipeline
