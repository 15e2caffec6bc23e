// The hostile corpus of test/golden/json; verdicts were recorded from Python's json by make.py there.
#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "json/test_dump.h"

namespace signalbox::json {
namespace {

// \xNN to bytes.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 2, 2)), nullptr, 16)));
    i += 3;
  }
  return out;
}

TEST(JsonGolden, EveryCaseIsReadAsPythonReadsItOrRefusedByARuleOfOurs) {
  const auto file = read_file(SIGNALBOX_SOURCE_DIR "/test/golden/json/cases.txt", 1 << 20);
  ASSERT_TRUE(file) << file.error().message;
  int cases = 0;
  for (std::string_view rest = *file; !rest.empty(); ++cases) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    const std::size_t tab = line.find('\t');
    ASSERT_NE(tab, std::string_view::npos);
    EXPECT_EQ(verdict(unescaped(line.substr(tab + 1))), line.substr(0, tab)) << line;
  }
  EXPECT_GT(cases, 250);
}

}  // namespace
}  // namespace signalbox::json
