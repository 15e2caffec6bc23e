#include "pipeline/api_embed.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/limits.h"

namespace signalbox::pipeline {
namespace {

using encoder::Analysis;
using encoder::Demand;

void write_vector(json::Writer& out, std::span<const float> values) {
  out.begin_array();
  for (const float value : values) out.raw(fmt::format("{:.9g}", value));
  out.end_array();
}

double cosine(const Analysis& a, const Analysis& b) {
  return std::inner_product(
      a.embedding.begin(), a.embedding.end(), b.embedding.begin(), 0.0, std::plus<>(),
      [](float x, float y) { return static_cast<double>(x) * static_cast<double>(y); });
}

// `key` may ask for the dimension the model has, no other: its vectors may not be cut.
Result<void> check_dimension(json::Value root, std::string_view key, const ApiCall& call) {
  SBX_TRY(const auto wanted, root.find(key));
  const encoder::Encoder* encoder = encoder_of(call);
  if (!wanted || wanted->is_null() || encoder == nullptr) return {};
  const std::int64_t asked = wanted->integer().value_or(-1);
  if (asked == 0 || asked == encoder->dimension()) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("{} gives {} dimensions, no other number", kBuiltInEmbedding,
                          encoder->dimension()),
              std::string(key));
}

std::string base64(std::span<const float> values) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes(values.size_bytes(), '\0');  // little-endian, as every CPU we run on
  std::memcpy(bytes.data(), values.data(), values.size_bytes());
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]))
                               : 0U;
    };
    const std::uint32_t triple = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    for (std::size_t digit = 0; digit < 4; ++digit) {
      const bool padding = i + digit > bytes.size();
      out += padding ? '=' : kDigits[triple >> (18 - 6 * digit) & 63U];
    }
  }
  return out;
}

// "input" of OpenAI's API.
Result<std::vector<std::string>> input_texts(json::Value root) {
  SBX_TRY(const auto input, root.find("input"));
  if (input && input->is_string()) {
    SBX_TRY(auto text, text_member(root, "input"));
    return std::vector<std::string>{std::move(text)};
  }
  if (input && input->is_array() && input->size() > 0 &&
      !(*input->element_range().begin()).is_string()) {
    return fail(Code::kInvalidArgument, "input of token numbers is not supported; send text",
                "input");
  }
  return texts_member(root, "input", limits::kApiTextsMax);
}

Result<bool> wants_base64(json::Value root) {
  SBX_TRY(const auto format, root.find("encoding_format"));
  if (!format || format->is_null() || format->equals("float")) return false;
  if (format->equals("base64")) return true;
  return fail(Code::kInvalidArgument, "encoding_format must be float or base64", "encoding_format");
}

Result<std::size_t> wanted_matches(json::Value root, std::size_t candidates) {
  SBX_TRY(const auto value, root.find("top_k"));
  if (!value || value->is_null()) return candidates;
  const std::int64_t count = value->integer().value_or(-1);
  if (count < 0)
    return fail(Code::kInvalidArgument, "top_k must be a whole number, 0 for all", "top_k");
  return count == 0 ? candidates : std::min(candidates, static_cast<std::size_t>(count));
}

}  // namespace

net::Task<Result<std::string>> embed_texts(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(const auto texts, texts_member(document.root(), "texts", limits::kApiTextsMax));
  SBX_CO_CHECK_OK(check_dimension(document.root(), "dimension", call));
  SBX_CO_TRY(const auto analyses, co_await analyze_texts(call, texts, Demand::kEmbedding));
  const double time = elapsed_ms(call, start), each = time / static_cast<double>(texts.size());
  std::string body;
  json::Writer out(body);
  out.begin_object().key("embeddings").begin_array();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out.begin_object().key("text").string(texts[i]).key("embedding");
    write_vector(out, analyses[i].embedding);
    out.key("dimension").integer(static_cast<std::int64_t>(analyses[i].embedding.size()));
    out.key("model_used").string(kBuiltInEmbedding);
    out.key("processing_time_ms").number(each).end_object();
  }
  out.end_array().key("total_count").integer(static_cast<std::int64_t>(texts.size()));
  out.key("total_processing_time_ms").number(time);
  out.key("avg_processing_time_ms").number(each).end_object();
  co_return body;
}

net::Task<Result<std::string>> compare_pair(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(auto first, text_member(document.root(), "text1"));
  SBX_CO_TRY(auto second, text_member(document.root(), "text2"));
  SBX_CO_CHECK_OK(check_dimension(document.root(), "dimension", call));
  std::vector<std::string> texts{std::move(first), std::move(second)};
  SBX_CO_TRY(const auto analyses,
             co_await analyze_texts(call, std::move(texts), Demand::kEmbedding));
  std::string body;
  json::Writer out(body);
  out.begin_object().key("model_used").string(kBuiltInEmbedding);
  out.key("similarity").number(cosine(analyses[0], analyses[1]));
  out.key("processing_time_ms").number(elapsed_ms(call, start)).end_object();
  co_return body;
}

net::Task<Result<std::string>> rank_candidates(ApiCall call) {
  const TimePoint start = call.loop.clock().now();
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(const auto query, text_member(document.root(), "query"));
  SBX_CO_TRY(auto texts, texts_member(document.root(), "candidates", limits::kApiTextsMax));
  SBX_CO_TRY(const std::size_t count, wanted_matches(document.root(), texts.size()));
  SBX_CO_CHECK_OK(check_dimension(document.root(), "dimension", call));
  texts.push_back(query);
  SBX_CO_TRY(const auto analyses, co_await analyze_texts(call, texts, Demand::kEmbedding));
  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i + 1 < texts.size(); ++i)
    ranked.emplace_back(-cosine(analyses[i], analyses.back()), i);
  std::ranges::sort(ranked);
  std::string body;
  json::Writer out(body);
  out.begin_object().key("model_used").string(kBuiltInEmbedding).key("matches").begin_array();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [negative, index] = ranked[i];
    out.begin_object().key("index").integer(static_cast<std::int64_t>(index));
    out.key("similarity").number(-negative).key("text").string(texts[index]).end_object();
  }
  out.end_array().key("total_candidates").integer(static_cast<std::int64_t>(ranked.size()));
  out.key("processing_time_ms").number(elapsed_ms(call, start)).end_object();
  co_return body;
}

net::Task<Result<std::string>> openai_embeddings(ApiCall call) {
  SBX_CO_TRY(const auto document, json::Document::parse(call.client.body));
  SBX_CO_TRY(const auto texts, input_texts(document.root()));
  SBX_CO_TRY(const bool encoded, wants_base64(document.root()));
  SBX_CO_CHECK_OK(check_dimension(document.root(), "dimensions", call));
  SBX_CO_TRY(const auto analyses, co_await analyze_texts(call, texts, Demand::kEmbedding));
  std::int64_t tokens = 0;
  std::string body;
  json::Writer out(body);
  out.begin_object().key("object").string("list").key("data").begin_array();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    tokens += analyses[i].tokens_total;
    out.begin_object().key("object").string("embedding");
    out.key("index").integer(static_cast<std::int64_t>(i)).key("embedding");
    if (encoded) {
      out.string(base64(analyses[i].embedding));
    } else {
      write_vector(out, analyses[i].embedding);
    }
    out.end_object();
  }
  out.end_array().key("model").string(kBuiltInEmbedding);
  out.key("usage").begin_object().key("prompt_tokens").integer(tokens);
  out.key("total_tokens").integer(tokens).end_object().end_object();
  co_return body;
}

}  // namespace signalbox::pipeline
