// For tests and benchmarks only: rule trees from one line of text, such as
//   AND(keyword:urgent, NOT(domain:computer science), language:de!match)
// where "!match" is on_error: match.
#pragma once

#include <string>
#include <string_view>

#include "config/model.h"

namespace signalbox::decision::testing {

inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Takes one rule off the front of `text`.
inline config::RuleNode take_rule(std::string_view& text) {
  config::RuleNode node;
  const std::size_t stop = text.find_first_of("(),");
  std::string_view word = trimmed(text.substr(0, stop));
  text.remove_prefix(stop == std::string_view::npos ? text.size() : stop);
  if (text.empty() || text.front() != '(') {
    node.op = config::RuleOperator::kLeaf;
    if (word.ends_with("!match")) {
      node.on_error = config::OnError::kMatch;
      word.remove_suffix(6);
    }
    const std::size_t colon = word.find(':');
    node.type = std::string(word.substr(0, colon));
    node.name = std::string(word.substr(colon + 1));
    return node;
  }
  node.op = word == "AND"  ? config::RuleOperator::kAnd
            : word == "OR" ? config::RuleOperator::kOr
                           : config::RuleOperator::kNot;
  text.remove_prefix(1);
  while (!text.empty() && !trimmed(text).starts_with(')')) {
    node.children.push_back(take_rule(text));
    text = trimmed(text);
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  text = trimmed(text);
  if (!text.empty()) text.remove_prefix(1);
  return node;
}

inline config::RuleNode rule(std::string_view text) { return take_rule(text); }

}  // namespace signalbox::decision::testing
