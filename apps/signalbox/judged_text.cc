#include "apps/signalbox/judged_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include "apps/signalbox/in_parallel.h"
#include "base/text.h"
#include "json/splice.h"

namespace signalbox::cli {
namespace {

std::string folded(std::string_view label) {
  std::string out = to_lower(label);
  std::ranges::replace(out, '_', ' ');
  std::ranges::replace(out, '-', ' ');
  return out;
}

// Names of the reference system's rules for labels that its models call otherwise.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kAliases{{
    {"satisfied", "sat"},
    {"want different", "want different"},
    {"needs fact check", "fact check needed"},
    {"no fact check needed", "no fact check needed"},
    {"math", "maths"},
    {"creative", "creative writing"},
    {"general", "general knowledge"},
    {"summarization", "summarising"},
    {"safe", "benign"},
}};

bool is_positive(const encoder::TextHead& head, std::size_t label) {
  return std::ranges::find(head.meta().positive, label) != head.meta().positive.end();
}

Result<int> numbered(std::int64_t number, const encoder::TextHead& head) {
  if (head.meta().positive.empty() || (number != 0 && number != 1)) {
    return fail(Code::kInvalidArgument,
                "a label that is a number must be 0 or 1, of a task that finds something");
  }
  for (std::size_t i = 0; i < head.labels().size(); ++i) {
    if (is_positive(head, i) == (number == 1)) return static_cast<int>(i);
  }
  return fail(Code::kInvalidArgument, "the head has no such label");
}

}  // namespace

Result<int> label_of(json::Value value, const encoder::TextHead& head) {
  if (const auto number = value.integer()) return numbered(*number, head);
  if (!value.is_string()) return fail(Code::kInvalidArgument, "no \"label\"");
  const std::string asked = folded(value.string());
  const auto alias = std::ranges::find(kAliases, asked, &decltype(kAliases)::value_type::first);
  for (std::size_t i = 0; i < head.labels().size(); ++i) {
    const std::string label = folded(head.labels()[i]);
    if (label == asked || (alias != kAliases.end() && label == alias->second))
      return static_cast<int>(i);
  }
  return fail(Code::kInvalidArgument, fmt::format("unknown label {}", json::quote(value.string())));
}

LabelledFile<JudgedText> judge_texts(std::istream& in, const encoder::Encoder& encoder,
                                     encoder::Task task) {
  const encoder::TextHead& head = *encoder.head(task);
  auto file = read_labelled<JudgedText>(in, [&](json::Value object) -> Result<JudgedText> {
    JudgedText row;
    SBX_TRY(row.text, need_string(object, "text"));
    SBX_TRY(const auto label, object.find("label"));
    if (!label) return fail(Code::kInvalidArgument, "no \"label\"");
    SBX_TRY(row.judged.label, label_of(*label, head));
    row.scored.positive = is_positive(head, static_cast<std::size_t>(row.judged.label));
    return row;
  });
  in_parallel(file.rows.size(), [&](std::size_t i, encoder::Workspace& workspace) {
    JudgedText& row = file.rows[i].content;
    const auto analysis = encoder.analyze(row.text, encoder::demand_of(task), workspace);
    const auto probabilities = analysis.of(task);
    const encoder::Top best = encoder::top(probabilities);
    row.judged.predicted = best.index;
    row.judged.confidence = best.probability;
    row.scored.score = head.score(probabilities);
  });
  return file;
}

}  // namespace signalbox::cli
