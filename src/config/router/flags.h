// Command line of `signalbox router`: every flag of vLLM Production Stack's router with its meaning, and a few of our own.
// Read as Python's argparse reads it: "--flag value", "--flag=value", unambiguous beginnings of names, the last of several
// wins, and a value does not begin with "--".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::config {

enum class FlagKind : std::uint8_t { kSwitch, kText, kInteger, kNumber };

struct RouterFlag {
  std::string_view name;  // without dashes
  FlagKind kind = FlagKind::kText;
  std::string_view group;          // heading in --help
  std::string_view default_value;  // empty: none
  std::string_view choices;        // separated by '|'; empty: any
  std::string_view help;
};

// All of them, in the order of --help.
std::span<const RouterFlag> router_flags();
// The flag of that name; also with underscores in place of dashes, as files write it. nullptr: none.
const RouterFlag* find_router_flag(std::string_view name);

// Values by flag name; what is not there has its default.
class RouterArguments {
 public:
  bool given(std::string_view flag) const { return values_.find(flag) != values_.end(); }
  // The value given, else the default, else "".
  std::string text(std::string_view flag) const;
  bool on(std::string_view flag) const { return text(flag) == "true"; }
  std::int64_t integer(std::string_view flag) const;
  double number(std::string_view flag) const;
  // Parts of a comma list, trimmed; empty parts stay, because lists go together by position.
  std::vector<std::string> list(std::string_view flag) const;

  // Checks against the flag's kind and choices. Errors: kInvalidArgument, naming the flag and what it takes.
  Result<void> set(const RouterFlag& flag, std::string value);
  void remove(std::string_view flag);

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

// Errors: kInvalidArgument with what is wrong and a remedy. --help and --version are switches like others.
Result<RouterArguments> parse_router_arguments(std::span<const std::string_view> arguments);

// Text of --help, in groups.
std::string router_usage();

}  // namespace signalbox::config
