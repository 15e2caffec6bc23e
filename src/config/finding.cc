#include "config/finding.h"

#include <fmt/core.h>

#include <algorithm>

#include "json/splice.h"

namespace signalbox::config {

std::string_view severity_word(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "error";
}

std::string to_text(const Finding& finding) {
  std::string text = finding.file;
  if (finding.line > 0) text += fmt::format(":{}", finding.line);
  if (!text.empty()) text += ": ";
  if (!finding.path.empty()) text += finding.path + ": ";
  text += finding.message;
  if (!finding.remedy.empty()) text += "; " + finding.remedy;
  return text;
}

std::string to_text(const std::vector<Finding>& findings, std::size_t count_max) {
  std::vector<const Finding*> order;
  for (const auto severity : {Severity::kError, Severity::kWarning, Severity::kNote}) {
    for (const auto& finding : findings) {
      if (finding.severity == severity) order.push_back(&finding);
    }
  }
  std::string text;
  for (std::size_t i = 0; i < order.size() && i < count_max; ++i) {
    if (i > 0) text += '\n';
    text += to_text(*order[i]);
  }
  if (order.size() > count_max) text += fmt::format("\nand {} more", order.size() - count_max);
  return text;
}

std::string to_json(const std::vector<Finding>& findings) {
  std::string out = "[";
  for (const auto& finding : findings) {
    if (out.size() > 1) out += ',';
    out += fmt::format(
        R"({{"severity":"{}","code":{},"file":{},"line":{},"column":{},"path":{},"message":{},"remedy":{}}})",
        severity_word(finding.severity), json::quote(finding.code), json::quote(finding.file),
        finding.line, finding.column, json::quote(finding.path), json::quote(finding.message),
        json::quote(finding.remedy));
  }
  return out + "]";
}

bool any_error(const std::vector<Finding>& findings) {
  return std::ranges::any_of(findings,
                             [](const Finding& f) { return f.severity == Severity::kError; });
}

}  // namespace signalbox::config
