#include "apps/signalbox/pii.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/cpu.h"
#include "json/document.h"
#include "json/splice.h"
#include "pii/evaluation.h"

namespace signalbox::cli {
namespace {

struct Row {
  std::size_t line = 0;
  std::string text;
  std::vector<pii::Marked> gold;
  std::vector<pii::Marked> found;
};

Result<pii::Marked> read_span(json::Value span) {
  std::vector<json::Value> parts;
  for (const json::Value part : span.elements()) parts.push_back(part);
  if (parts.size() != 3) return fail(Code::kInvalidArgument, "a span is not [begin, end, type]");
  const auto begin = parts[0].integer(), end = parts[1].integer();
  const auto label = pii::parse_label(parts[2].string());
  if (!begin || !end || *begin < 0 || *end < *begin)
    return fail(Code::kInvalidArgument, "a span is not [begin, end, type]");
  if (!label) {
    return fail(Code::kInvalidArgument,
                fmt::format("unknown type {}", json::quote(parts[2].string())));
  }
  return pii::Marked{static_cast<std::size_t>(*begin), static_cast<std::size_t>(*end), *label};
}

Result<Row> read_row(const std::string& line) {
  SBX_TRY(const auto document, json::Document::parse(line));
  SBX_TRY(const auto text, document.root().find("text"));
  SBX_TRY(const auto spans, document.root().find("spans"));
  if (!text || !text->is_string()) return fail(Code::kInvalidArgument, "no \"text\"");
  if (!spans) return fail(Code::kInvalidArgument, "no \"spans\"");
  Row row{.text = text->string()};
  for (const json::Value span : spans->elements()) {
    SBX_TRY(const auto marked, read_span(span));
    row.gold.push_back(marked);
  }
  return row;
}

// Rows in parallel: they are independent, and each thread takes the next one.
void find_all(const encoder::Encoder& encoder, std::vector<Row>& rows) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    encoder::Workspace workspace;
    for (std::size_t i = next++; i < rows.size(); i = next++) {
      const auto analysis = encoder.analyze(rows[i].text, encoder::Demand::kPii, workspace);
      pii::CodePoints points(rows[i].text);
      for (const pii::Entity& entity : analysis.entities) {
        const std::size_t begin = points.before(entity.begin), end = points.before(entity.end);
        rows[i].found.push_back({begin, end, label_of(entity.type)});
      }
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < cpu_budget().threads(); ++i) threads.emplace_back(work);
}

std::string counts_json(const pii::Counts& counts) {
  return fmt::format(R"({{"precision":{:.4f},"recall":{:.4f},"f1":{:.4f},"support":{}}})",
                     counts.precision(), counts.recall(), counts.f1(), counts.support());
}

std::string types_json(const pii::SpanScore& score, const std::set<pii::Label>& labels) {
  std::string out;
  for (const pii::Label label : labels) {
    out += fmt::format(R"({}{}:{{"exact":{},"overlap":{}}})", out.empty() ? "" : ",",
                       json::quote(label_name(label)), counts_json(score.exact(label)),
                       counts_json(score.overlap(label)));
  }
  return out;
}

// Per line the spans without a twin on the other side.
std::string mistakes_json(const std::vector<Row>& rows) {
  std::string out;
  const auto spans = [](const std::vector<pii::Marked>& some,
                        const std::vector<pii::Marked>& others) {
    std::string list;
    for (const pii::Marked& one : some) {
      const bool twin = std::ranges::any_of(others, [&](const pii::Marked& other) {
        return other.begin == one.begin && other.end == one.end && other.label == one.label;
      });
      if (twin) continue;
      list += fmt::format(R"({}[{},{},{}])", list.empty() ? "" : ",", one.begin, one.end,
                          json::quote(label_name(one.label)));
    }
    return list;
  };
  for (const Row& row : rows) {
    const std::string wrong = spans(row.found, row.gold), missed = spans(row.gold, row.found);
    if (wrong.empty() && missed.empty()) continue;
    out += fmt::format(R"({}{{"line":{},"wrong":[{}],"missed":[{}]}})", out.empty() ? "" : ",",
                       row.line, wrong, missed);
  }
  return out;
}

struct Input {
  std::vector<Row> rows;
  std::string errors;  // JSON objects
};

Input read_rows(std::istream& in) {
  Input input;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto row = read_row(line);
    if (row) {
      row->line = number;
      input.rows.push_back(std::move(*row));
    } else {
      input.errors += fmt::format(R"({}{{"line":{},"error":{}}})", input.errors.empty() ? "" : ",",
                                  number, json::quote(row.error().message));
    }
  }
  return input;
}

}  // namespace

int eval_pii(const EvalInput& task) {
  Input input = read_rows(task.in);
  if (input.rows.empty()) return cannot_eval("the file holds no usable line");
  const TimePoint start = system_clock().now();
  find_all(task.encoder, input.rows);
  const Duration time = system_clock().now() - start;
  std::set<pii::Label> labels;
  for (const Row& row : input.rows) {
    for (const pii::Marked& span : row.gold) labels.insert(span.label);
  }
  pii::SpanScore score;
  score.count_only({labels.begin(), labels.end()});
  for (const Row& row : input.rows) score.add(row.gold, row.found);
  const pii::Counts exact = score.exact(), overlap = score.overlap();
  fmt::print(
      R"({{"task":"pii","n":{},"spans":{},"micro_f1":{:.4f},"micro_f1_overlap":{:.4f},"exact":{},"overlap":{},)"
      R"("types":{{{}}},"errors":[{}]{},"time_ms":{:.0f}}})"
      "\n",
      input.rows.size(), exact.support(), exact.f1(), overlap.f1(), counts_json(exact),
      counts_json(overlap), types_json(score, labels), input.errors,
      task.list_misclassified ? fmt::format(R"(,"mistakes":[{}])", mistakes_json(input.rows)) : "",
      milliseconds(time));
  return input.errors.empty() ? kMeasured : kSomeLinesUnusable;
}

std::string pii_json(const encoder::Encoder& encoder, std::string_view text) {
  encoder::Workspace workspace;
  const TimePoint start = system_clock().now();
  const auto analysis = encoder.analyze(text, encoder::Demand::kPii, workspace);
  const Duration time = system_clock().now() - start;
  std::string entities;
  pii::CodePoints points(text);
  for (const pii::Entity& entity : analysis.entities) {
    const std::size_t begin = points.before(entity.begin), end = points.before(entity.end);
    entities += fmt::format(
        R"({}{{"type":{},"text":{},"start":{},"end":{},"confidence":{:.4f},"source":"{}"}})",
        entities.empty() ? "" : ",", json::quote(type_name(entity.type)),
        json::quote(text.substr(entity.begin, entity.end - entity.begin)), begin, end,
        entity.confidence, entity.source == pii::Source::kRule ? "rule" : "model");
  }
  return fmt::format(
      R"({{"entities":[{}],"names_seen":{},"tokens_seen":{},"tokens_total":{},"time_ms":{:.2f}}})",
      entities, encoder.finds_names(), analysis.tokens_seen, analysis.tokens_total,
      milliseconds(time));
}

}  // namespace signalbox::cli
