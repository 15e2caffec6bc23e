#include "http/headers.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace signalbox::http {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(const Headers& headers) {
  Pairs pairs;
  for (const auto& field : headers.fields()) pairs.emplace_back(field.name, field.value);
  return pairs;
}

void naive_set(Pairs& pairs, const std::string& name, const std::string& value) {
  const auto same = [&](const auto& pair) { return equal_ignore_case(pair.first, name); };
  const auto first = std::ranges::find_if(pairs, same);
  if (first == pairs.end()) {
    pairs.emplace_back(name, value);
    return;
  }
  first->second = value;
  pairs.erase(std::remove_if(first + 1, pairs.end(), same), pairs.end());
}

// Few names in two spellings, so that sequences hit the same ones often.
std::string gen_name() {
  return *rc::gen::element<std::string>("a", "A", "x-Long-Name", "X-long-name", "b");
}
std::string gen_value() {
  return std::string(*rc::gen::inRange<std::size_t>(0, 40), *rc::gen::inRange('a', 'z'));
}

RC_GTEST_PROP(Headers, HoldWhatAListOfPairsWouldAfterAnyChanges, ()) {
  Headers headers;
  Pairs pairs;
  const int steps = *rc::gen::inRange(0, 40);
  for (int i = 0; i < steps; ++i) {
    const std::string name = gen_name();
    const std::string value = gen_value();
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        headers.add(name, value);
        pairs.emplace_back(name, value);
        break;
      case 1:
        headers.set(name, value);
        naive_set(pairs, name, value);
        break;
      case 2:
        RC_ASSERT(headers.remove(name) == std::erase_if(pairs, [&](const auto& pair) {
                    return equal_ignore_case(pair.first, name);
                  }));
        break;
      default: {
        // The value is a view into the very object that changes.
        const std::string kept(headers.get(name));
        headers.set("copy", headers.get(name));
        naive_set(pairs, "copy", kept);
        break;
      }
    }
    RC_ASSERT(pairs_of(headers) == pairs);
  }
  const Headers copy = headers;
  headers.clear();
  RC_ASSERT(pairs_of(copy) == pairs);
  RC_ASSERT(pairs_of(headers).empty());
}

TEST(Headers, NothingThatWouldBreakTheWireGetsIn) {
  Headers headers;
  headers.add("X-Decision", " math\r\nSet-Cookie: a=b ");
  headers.add("Bad Name\r\nX", "v");
  headers.add("", "v");
  headers.add(":", "v");
  headers.set("X-Other", std::string("a\0b", 3));
  EXPECT_EQ(pairs_of(headers),
            (Pairs{{"X-Decision", "math  Set-Cookie: a=b"}, {"X-Other", "a b"}}));
  EXPECT_EQ(headers.fields()[0].line, "X-Decision: math  Set-Cookie: a=b\r\n");
}

TEST(Headers, NamesCompareWithoutCaseAndTheFirstSpellingStays) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("content-type", "b");
  headers.set("CONTENT-TYPE", "c");
  EXPECT_EQ(pairs_of(headers), (Pairs{{"Content-Type", "c"}}));
  EXPECT_EQ(headers.find("missing"), std::nullopt);
  EXPECT_EQ(headers.get("content-TYPE"), "c");
}

}  // namespace
}  // namespace signalbox::http
