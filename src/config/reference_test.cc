#include "config/reference.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

#include "base/environment.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/json_schema.h"
#include "config/tables/tables.h"
#include "json/document.h"

namespace signalbox::config {
namespace {

void visit(const Schema& schema, std::map<std::string_view, const Schema*>& seen) {
  const auto [found, fresh] = seen.emplace(schema.name, &schema);
  EXPECT_EQ(found->second, &schema) << "two tables are called " << schema.name;
  if (!fresh) return;
  std::set<std::string_view> keys;
  for (const auto& field : schema.fields) {
    EXPECT_TRUE(keys.insert(field.key).second) << schema.name << " has two rows for " << field.key;
    if (field.nested) visit(field.nested(), seen);
    if (!field.variants) continue;
    for (const auto& [word, nested] : field.variants()) visit(*nested, seen);
  }
}

TEST(Tables, EveryTableHasItsOwnNameAndEveryKeyOneRow) {
  std::map<std::string_view, const Schema*> seen;
  visit(document_schema(), seen);
  EXPECT_GT(seen.size(), 150U);
}

TEST(Reference, PageInTheTreeIsCurrent) {
  constexpr auto kPage = SIGNALBOX_SOURCE_DIR "/docs/configuration.md";
  if (environment("SIGNALBOX_UPDATE_GOLDEN")) std::ofstream(kPage) << reference_page();
  const auto page = read_file(kPage, 1 << 20);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(*page == reference_page())
      << "write it again: signalbox config docs > docs/configuration.md";
}

TEST(Reference, PageSaysDefaultRangeAndWords) {
  const auto page = reference_page();
  EXPECT_NE(page.find("| `port` | integer | `8080` |"), std::string::npos);
  const auto row =
      fmt::format("| `attempts_max` | integer | `3` | 1 to {} |", limits::kAttemptsMax);
  EXPECT_NE(page.find(row), std::string::npos);
  EXPECT_NE(page.find("`round_robin` `least_load` `power_of_two`"), std::string::npos);
}

std::string unescape(std::string pointer) {
  const std::pair<const char*, const char*> codes[] = {{"%5B", "["}, {"%5D", "]"}, {"%20", " "}};
  for (const auto& [code, text] : codes) {
    for (auto at = pointer.find(code); at != std::string::npos; at = pointer.find(code))
      pointer.replace(at, 3, text);
  }
  return pointer;
}

TEST(JsonSchema, IsJsonAndEveryReferenceHasADefinition) {
  const auto text = json_schema();
  const auto document = json::Document::parse(text);
  ASSERT_TRUE(document) << document.error().message;
  const auto definitions = document->root().find("$defs");
  ASSERT_TRUE(definitions && *definitions);
  constexpr std::string_view kReference = "\"#/$defs/";
  std::size_t count = 0;
  for (auto at = text.find(kReference); at != std::string::npos;
       at = text.find(kReference, at + 1)) {
    const auto begin = at + kReference.size();
    const auto name = unescape(text.substr(begin, text.find('"', begin) - begin));
    const auto found = (*definitions)->find(name);
    EXPECT_TRUE(found && *found) << name;
    ++count;
  }
  EXPECT_GT(count, 150U);
}

}  // namespace
}  // namespace signalbox::config
