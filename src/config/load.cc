#include "config/load.h"

#include <fmt/core.h>

#include <utility>

#include "base/environment.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/join.h"
#include "config/legacy/shape.h"
#include "config/tables/document.h"
#include "config/tables/tables.h"
#include "config/validate.h"
#include "config/yaml/tree.h"

namespace signalbox::config {
namespace {

Given given_in(const Node& tree) {
  Given given;
  const Node* own = tree.find("signalbox");
  if (own == nullptr) return given;
  given.http = own->find("http") != nullptr;
  given.user_id_header = own->find("user_id_header") != nullptr;
  given.user_groups_header = own->find("user_groups_header") != nullptr;
  const Node* limits = own->find("limits");
  given.total_timeout = limits != nullptr && limits->find("total_timeout") != nullptr;
  return given;
}

LoadReport failed(std::string code, const std::string& file, Mark mark, std::string message,
                  std::string remedy) {
  LoadReport report;
  report.findings.push_back({Severity::kError,
                             std::move(code),
                             file,
                             mark.line,
                             mark.column,
                             {},
                             std::move(message),
                             std::move(remedy)});
  return report;
}

LoadReport load_tree(const Node& tree, Generation generation, Reader reader) {
  Document document;
  document_schema().read(reader, tree, &document);
  LoadReport report;
  const std::string file = reader.file();
  report.findings = reader.take_findings();
  if (any_error(report.findings)) return report;
  auto config =
      std::make_shared<const Config>(join(std::move(document), generation, given_in(tree)));
  for (auto& finding : validate(*config, tree, file)) report.findings.push_back(std::move(finding));
  if (!any_error(report.findings)) report.config = std::move(config);
  return report;
}

}  // namespace

LoadReport load_report(std::string_view text, const std::string& file_name,
                       const LoadOptions& options) {
  auto tree = parse_tree(text);
  if (!tree)
    return failed("bad-yaml", file_name, tree.error().mark, tree.error().message,
                  tree.error().remedy);
  if (!tree->is_map()) {
    return failed("bad-yaml", file_name, tree->mark,
                  tree->is_null() ? "the file is empty" : "the document is not a map",
                  "begin with version: v0.3, or see examples/");
  }
  Reader reader(file_name, options.environment ? options.environment : Environment(environment));
  const Shape shape = to_canonical(*std::move(tree), reader);
  return load_tree(shape.tree, shape.generation, std::move(reader));
}

Result<Loaded> load_text(std::string_view text, const std::string& file_name,
                         const LoadOptions& options) {
  auto report = load_report(text, file_name, options);
  if (report.config == nullptr) {
    std::erase_if(report.findings, [](const Finding& f) { return f.severity != Severity::kError; });
    return fail(Code::kConfig, to_text(report.findings, limits::kConfigProblemsMax));
  }
  return Loaded{std::move(report.config), std::move(report.findings)};
}

Result<Loaded> load_file(const std::string& path, const LoadOptions& options) {
  SBX_TRY(const auto text, read_file(path, limits::kConfigBytesMax));
  return load_text(text, path, options);
}

std::string_view generation_words(Generation generation) {
  switch (generation) {
    case Generation::kCanonicalV03:
      return "canonical v0.3";
    case Generation::kFlatDecisions:
      return "flat signal/decision";
    case Generation::kPerCategory:
      return "per-category";
  }
  return "unknown";
}

}  // namespace signalbox::config
