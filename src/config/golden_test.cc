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
#include "config/check.h"
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

std::string describe_check(const Loaded& loaded) {
  std::string out;
  for (const auto& finding : check(*loaded.config)) {
    out += fmt::format("{} {} {} {}: {}; {}\n", severity_word(finding.severity), finding.line,
                       finding.code, finding.path, finding.message, finding.remedy);
  }
  return out;
}

std::vector<fs::path> cases(const char* folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(source_dir() / folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

// The first line of a case names its input: a path of the project, or shared:NAME.
fs::path input_of(const std::string& golden) {
  const std::string input = golden.substr(0, golden.find('\n'));
  if (!input.starts_with(kShared)) return source_dir() / input;
  return shared_dir() / "compat" / input.substr(kShared.size());
}

void run_case(const fs::path& golden_file, std::string (*describe_loaded)(const Loaded&)) {
  const auto golden = read_file(golden_file, 1 << 20);
  ASSERT_TRUE(golden);
  const auto separator = golden->find(kSeparator);
  ASSERT_NE(separator, std::string::npos) << "no line of dashes";
  const auto input = input_of(*golden);
  if (golden->starts_with(kShared) && !fs::exists(input)) {
    GTEST_SKIP() << input << " is not here: the published files are not part of the project";
  }
  const auto text = read_file(input, 8 << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto loaded = load_text(*text, input.filename());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const std::string actual = describe_loaded(*loaded);
  if (environment("SIGNALBOX_UPDATE_GOLDEN")) {
    std::ofstream(golden_file) << golden->substr(0, separator) << kSeparator << actual;
    return;
  }
  EXPECT_EQ(golden->substr(separator + kSeparator.size()), actual);
}

class ConfigGolden : public testing::TestWithParam<fs::path> {};
TEST_P(ConfigGolden, FileMeansWhatItsTableSays) { run_case(GetParam(), describe); }

class CheckGolden : public testing::TestWithParam<fs::path> {};
TEST_P(CheckGolden, LinterSaysWhatItsTableSays) { run_case(GetParam(), describe_check); }

std::string case_name(const testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.stem();
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, ConfigGolden, testing::ValuesIn(cases("test/golden/config")),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Files, CheckGolden, testing::ValuesIn(cases("test/golden/config/check")),
                         case_name);

}  // namespace
}  // namespace signalbox::config
