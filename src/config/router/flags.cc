#include "config/router/flags.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace signalbox::config {
namespace {

bool same_name(std::string_view flag, std::string_view written) {
  return std::ranges::equal(flag, written,
                            [](char a, char b) { return a == (b == '_' ? '-' : b); });
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const RouterFlag& flag : router_flags()) all.push_back(flag.name);
  return all;
}

// A flag by its name or by a beginning that only one has.
Result<const RouterFlag*> flag_of(std::string_view name) {
  const RouterFlag* found = nullptr;
  std::string several;
  for (const RouterFlag& flag : router_flags()) {
    if (flag.name == name) return &flag;
    if (!flag.name.starts_with(name)) continue;
    several += fmt::format("{}--{}", several.empty() ? "" : ", ", flag.name);
    found = found == nullptr ? &flag : found;
  }
  if (found != nullptr && found->name.size() + 2 == several.size()) return found;
  if (found != nullptr) {
    return fail(Code::kInvalidArgument,
                fmt::format("--{} is short for several flags: {}; write it out", name, several));
  }
  const auto meant = did_you_mean(name, names());
  return fail(Code::kInvalidArgument,
              meant ? fmt::format("unknown flag --{}; did you mean --{}?", name, *meant)
                    : fmt::format("unknown flag --{}; see signalbox router --help", name));
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  text = trim(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_choice(std::string_view choices, std::string_view value) {
  const auto all = split(choices, '|');
  return std::ranges::find(all, value) != all.end();
}

std::string choices_text(std::string_view choices) {
  std::string out;
  for (const auto choice : split(choices, '|')) {
    out += out.empty() ? "" : ", ";
    out += choice;
  }
  return out;
}

}  // namespace

const RouterFlag* find_router_flag(std::string_view name) {
  const auto flags = router_flags();
  const auto at = std::ranges::find_if(
      flags, [&](const RouterFlag& flag) { return same_name(flag.name, name); });
  return at == flags.end() ? nullptr : &*at;
}

std::string RouterArguments::text(std::string_view flag) const {
  if (const auto at = values_.find(flag); at != values_.end()) return at->second;
  const RouterFlag* known = find_router_flag(flag);
  return known == nullptr ? std::string() : std::string(known->default_value);
}

std::int64_t RouterArguments::integer(std::string_view flag) const {
  return read_integer(text(flag)).value_or(0);
}

double RouterArguments::number(std::string_view flag) const {
  return parse_double(text(flag)).value_or(0);
}

std::vector<std::string> RouterArguments::list(std::string_view flag) const {
  std::vector<std::string> parts;
  const std::string value = text(flag);
  std::string_view rest = value;
  while (!value.empty()) {
    const auto comma = rest.find(',');
    parts.emplace_back(trim(rest.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return parts;
}

Result<void> RouterArguments::set(const RouterFlag& flag, std::string value) {
  const auto refuse = [&](std::string_view takes) {
    return fail(Code::kInvalidArgument,
                fmt::format("--{} is '{}'; it takes {}", flag.name, value, takes),
                std::string(flag.name));
  };
  if (flag.kind == FlagKind::kInteger && !read_integer(value)) return refuse("a whole number");
  if (flag.kind == FlagKind::kNumber && !parse_double(trim(value))) return refuse("a number");
  if (flag.kind == FlagKind::kSwitch && value != "true" && value != "false")
    return refuse("true or false");
  // A blank choice is none, as templates render values that are not set.
  if (!flag.choices.empty() && !trim(value).empty() && !is_choice(flag.choices, value)) {
    const auto choices = split(flag.choices, '|');
    const auto meant = did_you_mean(value, choices);
    return refuse(
        meant ? fmt::format("one of {}; did you mean {}?", choices_text(flag.choices), *meant)
              : "one of " + choices_text(flag.choices));
  }
  values_.insert_or_assign(std::string(flag.name), std::move(value));
  return {};
}

void RouterArguments::remove(std::string_view flag) {
  if (const auto at = values_.find(flag); at != values_.end()) values_.erase(at);
}

Result<RouterArguments> parse_router_arguments(std::span<const std::string_view> arguments) {
  RouterArguments parsed;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument == "-h") argument = "--help";
    if (!argument.starts_with("--") || argument.size() == 2) {
      return fail(Code::kInvalidArgument,
                  fmt::format("unexpected argument '{}'; values follow their flag", argument));
    }
    argument.remove_prefix(2);
    const auto equals = argument.find('=');
    SBX_TRY(const RouterFlag* flag, flag_of(argument.substr(0, equals)));
    if (flag->kind == FlagKind::kSwitch) {
      if (equals != std::string_view::npos) {
        return fail(Code::kInvalidArgument,
                    fmt::format("--{} takes no value; leave out what follows '='", flag->name));
      }
      SBX_CHECK_OK(parsed.set(*flag, "true"));
      continue;
    }
    if (equals != std::string_view::npos) {
      SBX_CHECK_OK(parsed.set(*flag, std::string(argument.substr(equals + 1))));
      continue;
    }
    if (i + 1 == arguments.size() || arguments[i + 1].starts_with("--")) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--{} needs a value; write --{} VALUE or --{}=VALUE", flag->name,
                              flag->name, flag->name));
    }
    SBX_CHECK_OK(parsed.set(*flag, std::string(arguments[++i])));
  }
  return parsed;
}

std::string router_usage() {
  std::string out =
      "usage: signalbox router [FLAGS]\n\n"
      "Routes requests to engines. Takes the flags of vLLM Production Stack's router.\n";
  std::string_view group;
  for (const RouterFlag& flag : router_flags()) {
    if (flag.group != group) out += fmt::format("\n{}:\n", group = flag.group);
    std::string left = fmt::format("--{}", flag.name);
    if (flag.kind == FlagKind::kInteger) left += " N";
    if (flag.kind == FlagKind::kNumber) left += " X";
    if (flag.kind == FlagKind::kText) left += " TEXT";
    std::string right(flag.help);
    if (!flag.choices.empty()) right += ": " + choices_text(flag.choices);
    if (!flag.default_value.empty() && flag.help.find("unless given") == std::string_view::npos)
      right += fmt::format(" [{}]", flag.default_value);
    out += left.size() < 28 ? fmt::format("  {:<28} {}\n", left, right)
                            : fmt::format("  {}\n  {:<28} {}\n", left, "", right);
  }
  return out;
}

}  // namespace signalbox::config
