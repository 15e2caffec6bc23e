// Tasks of plain embeddings: repeated questions for the cache, tools for a question.
#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>

#include "apps/signalbox/eval_tasks.h"
#include "apps/signalbox/in_parallel.h"
#include "apps/signalbox/labelled_file.h"
#include "base/clock.h"
#include "encoder/evaluation.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

using Vector = std::vector<float>;

// The reference system's customary similarity for a hit of its cache.
constexpr double kCacheThreshold = 0.8;
constexpr std::array<std::size_t, 4> kRanks = {1, 3, 5, 10};

float cosine(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0f);
}

std::vector<Vector> embed(const encoder::Encoder& encoder, const std::vector<std::string>& texts) {
  std::vector<Vector> vectors(texts.size());
  in_parallel(texts.size(), [&](std::size_t i, encoder::Workspace& workspace) {
    vectors[i] = encoder.analyze(texts[i], encoder::Demand::kEmbedding, workspace).embedding;
  });
  return vectors;
}

struct Pair {
  std::string a, b;
  bool same = false;
};

Result<Pair> read_pair(json::Value object) {
  Pair pair;
  SBX_TRY(pair.a, need_string(object, "a"));
  SBX_TRY(pair.b, need_string(object, "b"));
  SBX_TRY(const auto label, object.find("label"));
  const auto number = label ? label->integer() : std::nullopt;
  if (!number || (*number != 0 && *number != 1))
    return fail(Code::kInvalidArgument, "\"label\" is neither 0 nor 1");
  pair.same = *number == 1;
  return pair;
}

struct Query {
  std::string text;
  std::string tool;  // empty: none fits
  std::vector<std::string> candidates;
};

Result<Query> read_query(json::Value object) {
  Query query;
  SBX_TRY(query.text, need_string(object, "text"));
  SBX_TRY(const auto tool, object.find("tool"));
  if (!tool) return fail(Code::kInvalidArgument, "no \"tool\"");
  if (tool->is_string() && tool->string() != "none") query.tool = tool->string();
  SBX_TRY(const auto candidates, object.find("candidates"));
  if (!candidates) return query;
  for (const json::Value candidate : candidates->elements())
    query.candidates.push_back(candidate.string());
  return query;
}

struct Catalog {
  std::map<std::string, std::size_t> index;  // by name
  std::vector<Vector> vectors;
};

Result<Catalog> read_catalog(const std::string& path, const encoder::Encoder& encoder) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::kIo, "cannot open " + path);
  Catalog catalog;
  const auto file = read_labelled<std::pair<std::string, std::string>>(
      in, [](json::Value object) -> Result<std::pair<std::string, std::string>> {
        SBX_TRY(auto name, need_string(object, "name"));
        SBX_TRY(auto description, need_string(object, "description"));
        return std::pair{std::move(name), std::move(description)};
      });
  if (!file.errors.empty()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} line {}: {}", path, file.errors[0].line, file.errors[0].message));
  }
  std::vector<std::string> texts;
  for (const auto& [line, tool] : file.rows) {
    catalog.index.emplace(tool.first, texts.size());
    texts.push_back(tool.first + ": " + tool.second);
  }
  if (texts.empty()) return fail(Code::kInvalidArgument, path + " holds no tool");
  catalog.vectors = embed(encoder, texts);
  return catalog;
}

struct ToolCounts {
  std::size_t with_tool = 0, unknown = 0, chosen_of = 0, chosen_right = 0;
  std::array<std::size_t, kRanks.size()> found{};
  double reciprocal_ranks = 0;
  std::vector<encoder::Scored> any_fits;  // by the highest similarity
};

void count_query(const Query& query, const Vector& vector, const Catalog& catalog,
                 ToolCounts& counts) {
  std::vector<float> similarity;
  for (const Vector& tool : catalog.vectors) similarity.push_back(cosine(vector, tool));
  const float best = *std::ranges::max_element(similarity);
  counts.any_fits.push_back({std::clamp(best, 0.0f, 1.0f), !query.tool.empty()});
  if (query.tool.empty()) return;
  const auto gold = catalog.index.find(query.tool);
  if (gold == catalog.index.end()) {
    ++counts.unknown;
    return;
  }
  ++counts.with_tool;
  const float own = similarity[gold->second];
  const auto rank = static_cast<std::size_t>(
      1 + std::ranges::count_if(similarity, [own](float other) { return other > own; }));
  counts.reciprocal_ranks += 1.0 / static_cast<double>(rank);
  for (std::size_t i = 0; i < kRanks.size(); ++i) counts.found[i] += rank <= kRanks[i] ? 1 : 0;
  if (query.candidates.size() < 2) return;
  ++counts.chosen_of;
  const bool right = std::ranges::none_of(query.candidates, [&](const std::string& name) {
    const auto other = catalog.index.find(name);
    return other != catalog.index.end() && similarity[other->second] > own;
  });
  counts.chosen_right += right ? 1 : 0;
}

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string recall_json(const ToolCounts& counts) {
  std::string out;
  for (std::size_t i = 0; i < kRanks.size(); ++i) {
    out += fmt::format(R"({}"{}":{:.4f})", i == 0 ? "" : ",", kRanks[i],
                       share(counts.found[i], counts.with_tool));
  }
  return out;
}

}  // namespace

int eval_cache(const EvalInput& input) {
  const auto file = read_labelled<Pair>(input.in, read_pair);
  if (file.rows.empty()) return cannot_eval("the file holds no usable line");
  const TimePoint start = system_clock().now();
  std::vector<std::string> texts;
  for (const auto& row : file.rows) {
    texts.push_back(row.content.a);
    texts.push_back(row.content.b);
  }
  const auto vectors = embed(input.encoder, texts);
  const double threshold = input.threshold.value_or(kCacheThreshold);
  std::vector<encoder::Scored> scored;
  std::size_t hits = 0, right = 0;
  for (std::size_t i = 0; i < file.rows.size(); ++i) {
    const float similarity = cosine(vectors[2 * i], vectors[2 * i + 1]);
    scored.push_back({std::clamp(similarity, 0.0f, 1.0f), file.rows[i].content.same});
    if (static_cast<double>(similarity) < threshold) continue;
    ++hits;
    right += file.rows[i].content.same ? 1 : 0;
  }
  const auto figures = encoder::evaluate_detector(scored, threshold);
  fmt::print(
      R"({{"task":"cache","n":{},"positives":{},"threshold":{},"precision":{:.4f},"recall":{:.4f},"accuracy":{:.4f},)"
      R"("auroc":{:.4f},"tpr_at_1fpr":{:.4f},"tpr_at_5fpr":{:.4f},"fpr_at_threshold":{:.4f},"errors":[{}],"time_ms":{:.0f}}})"
      "\n",
      figures.n, figures.positives, threshold, share(right, hits), figures.tpr_at_threshold,
      figures.accuracy, figures.auroc, figures.tpr_at_1fpr, figures.tpr_at_5fpr,
      figures.fpr_at_threshold, errors_json(file.errors),
      milliseconds(system_clock().now() - start));
  return file.errors.empty() ? kMeasured : kSomeLinesUnusable;
}

int eval_tools(const EvalInput& input) {
  if (input.catalog.empty()) return cannot_eval("--catalog must be given for tools");
  const auto catalog = read_catalog(input.catalog, input.encoder);
  if (!catalog) return cannot_eval(catalog.error().message);
  const auto file = read_labelled<Query>(input.in, read_query);
  if (file.rows.empty()) return cannot_eval("the file holds no usable line");
  const TimePoint start = system_clock().now();
  std::vector<std::string> texts;
  for (const auto& row : file.rows) texts.push_back(row.content.text);
  const auto vectors = embed(input.encoder, texts);
  ToolCounts counts;
  for (std::size_t i = 0; i < file.rows.size(); ++i)
    count_query(file.rows[i].content, vectors[i], *catalog, counts);
  const auto fits = encoder::evaluate_detector(counts.any_fits, 0);
  const double queries = static_cast<double>(std::max<std::size_t>(1, counts.with_tool));
  fmt::print(
      R"({{"task":"tools","n":{},"tools":{},"with_tool":{},"tool_unknown":{},"recall_at_k":{{{}}},"mrr":{:.4f},)"
      R"("accuracy_in_candidates":{:.4f},"candidate_queries":{},"none_fits_auroc":{:.4f},"errors":[{}],"time_ms":{:.0f}}})"
      "\n",
      file.rows.size(), catalog->vectors.size(), counts.with_tool, counts.unknown,
      recall_json(counts), counts.reciprocal_ranks / queries,
      share(counts.chosen_right, counts.chosen_of), counts.chosen_of, fits.auroc,
      errors_json(file.errors), milliseconds(system_clock().now() - start));
  return file.errors.empty() ? kMeasured : kSomeLinesUnusable;
}

}  // namespace signalbox::cli
