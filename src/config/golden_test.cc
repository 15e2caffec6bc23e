// What published and own files mean, written down: test/golden/config/*.txt name a file, then, after a line of dashes, the
// table that loading it must give. Published files are not part of the project; where they are not beside it, those cases
// are skipped and say so. SIGNALBOX_UPDATE_GOLDEN=1 rewrites the tables.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/environment.h"
#include "base/file.h"
#include "config/load.h"
#include "config/resolve.h"

namespace signalbox::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kShared = "shared:";
constexpr std::string_view kSeparator = "----\n";

fs::path source_dir() { return SIGNALBOX_SOURCE_DIR; }
fs::path shared_dir() {
  if (const auto given = environment("SIGNALBOX_SHARED_DIR")) return *given;
  return source_dir() / ".." / "shared";
}

std::string rule_text(const RuleNode& rule) {
  if (rule.op == RuleOperator::kLeaf) return fmt::format("{}:{}", rule.type, rule.name);
  std::string out = rule.op == RuleOperator::kAnd  ? "AND("
                    : rule.op == RuleOperator::kOr ? "OR("
                                                   : "NOT(";
  for (std::size_t i = 0; i < rule.children.size(); ++i)
    out += (i ? ", " : "") + rule_text(rule.children[i]);
  return out + ")";
}

std::string models_text(const Config& config, const Decision& decision) {
  std::string out;
  for (const auto& ref : decision.model_refs) {
    const auto target = resolve_ref(config, ref);
    if (!out.empty()) out += ", ";
    out += target ? fmt::format("{}{}{}", target->model->name, target->adapter.empty() ? "" : "/",
                                target->adapter)
                  : "unknown " + ref.model;
  }
  return out;
}

std::string reasoning_text(const Decision& decision) {
  if (decision.model_refs.empty() || !decision.model_refs[0].use_reasoning) return "-";
  return *decision.model_refs[0].use_reasoning ? "on" : "off";
}

std::string prompt_text(const Decision& decision) {
  const auto& plugin = decision.plugins.system_prompt;
  if (!plugin) return "none";
  const std::string_view mode = plugin->mode == PromptMode::kReplace  ? "replace"
                                : plugin->mode == PromptMode::kInsert ? "insert"
                                                                      : "append";
  return fmt::format("{}{}, {} bytes", plugin->enabled ? "" : "off, ", mode,
                     plugin->system_prompt.size());
}

std::string describe(const Loaded& loaded) {
  const Config& config = *loaded.config;
  const auto target = resolve_name(config, config.providers.default_model);
  std::string out =
      fmt::format("generation: {}\ndefault: {} -> {} / {}\n", generation_words(config.generation),
                  config.providers.default_model, target ? target->model->name : "none",
                  target && !target->adapter.empty() ? target->adapter : "no adapter");
  out += "decision | priority | rule | model/lora | reasoning | prompt\n";
  for (const auto& decision : config.routing.decisions) {
    out += fmt::format("{} | {} | {} | {} | {} | {}\n", decision.name, decision.priority,
                       rule_text(decision.rules), models_text(config, decision),
                       reasoning_text(decision), prompt_text(decision));
  }
  for (const auto& finding : loaded.findings) {
    out += fmt::format("{} {} {}: {}\n", severity_word(finding.severity), finding.line,
                       finding.path, finding.message);
  }
  return out;
}

std::vector<fs::path> cases() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(source_dir() / "test/golden/config")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

class ConfigGolden : public testing::TestWithParam<fs::path> {};

TEST_P(ConfigGolden, FileMeansWhatItsTableSays) {
  const auto content = read_file(GetParam(), 1 << 20);
  ASSERT_TRUE(content);
  const auto separator = content->find(kSeparator);
  ASSERT_NE(separator, std::string::npos) << "no line of dashes";
  std::string input = content->substr(0, content->find('\n'));
  fs::path path = source_dir() / input;
  if (input.starts_with(kShared)) {
    path = shared_dir() / "compat" / input.substr(kShared.size());
    if (!fs::exists(path))
      GTEST_SKIP() << path << " is not here: the published files are not part of the project";
  }
  const auto text = read_file(path, 8 << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto loaded = load_text(*text, path.filename());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const std::string actual = describe(*loaded);
  if (environment("SIGNALBOX_UPDATE_GOLDEN")) {
    std::ofstream(GetParam()) << content->substr(0, separator) << kSeparator << actual;
    return;
  }
  EXPECT_EQ(content->substr(separator + kSeparator.size()), actual);
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigGolden, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.stem();
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

}  // namespace
}  // namespace signalbox::config
