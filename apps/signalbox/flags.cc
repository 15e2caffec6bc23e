#include "apps/signalbox/flags.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace signalbox::cli {
namespace {

const FlagSpec* find_spec(std::span<const FlagSpec> specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const FlagSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

std::unexpected<Error> unknown_flag(std::string_view name, std::span<const FlagSpec> specs) {
  std::vector<std::string_view> names;
  for (const auto& spec : specs) names.push_back(spec.name);
  const auto meant = did_you_mean(name, names);
  return fail(Code::kInvalidArgument,
              meant ? fmt::format("unknown flag --{}; did you mean --{}?", name, *meant)
                    : fmt::format("unknown flag --{}", name));
}

}  // namespace

Result<Flags> Flags::parse(std::span<const std::string_view> arguments,
                           std::span<const FlagSpec> specs, std::size_t positional_max) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (!argument.starts_with("-") || argument == "-") {
      if (flags.positional_.size() == positional_max) {
        return fail(Code::kInvalidArgument, fmt::format("unexpected argument '{}'", argument));
      }
      flags.positional_.emplace_back(argument);
      continue;
    }
    argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
    const auto equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const FlagSpec* spec = find_spec(specs, name);
    if (spec == nullptr) return unknown_flag(name, specs);
    std::string value = "true";
    if (equals != std::string_view::npos) {
      value = std::string(argument.substr(equals + 1));
    } else if (!spec->value_name.empty()) {
      if (i + 1 == arguments.size()) {
        return fail(Code::kInvalidArgument, fmt::format("--{} needs {}", name, spec->value_name));
      }
      value = std::string(arguments[++i]);
    }
    flags.values_.emplace_back(std::string(name), std::move(value));
  }
  return flags;
}

std::optional<std::string> Flags::value(std::string_view name) const {
  const auto found = std::find_if(values_.rbegin(), values_.rend(),
                                  [&](const auto& pair) { return pair.first == name; });
  if (found == values_.rend()) return std::nullopt;
  return found->second;
}

Result<std::optional<std::uint16_t>> Flags::port(std::string_view name) const {
  const auto text = value(name);
  if (!text) return std::nullopt;
  const auto number = parse_uint(*text);
  if (!number || *number > std::numeric_limits<std::uint16_t>::max()) {
    return fail(Code::kInvalidArgument,
                fmt::format("--{} must be a port from 0 to 65535, not '{}'", name, *text));
  }
  return static_cast<std::uint16_t>(*number);
}

std::string usage(std::string_view synopsis, std::string_view text,
                  std::span<const FlagSpec> specs) {
  std::string out = fmt::format("usage: signalbox {}\n\n{}\n\n", synopsis, text);
  for (const auto& spec : specs) {
    const std::string left = spec.value_name.empty()
                                 ? fmt::format("--{}", spec.name)
                                 : fmt::format("--{} {}", spec.name, spec.value_name);
    out += fmt::format("  {:<28} {}\n", left, spec.help);
  }
  return out;
}

}  // namespace signalbox::cli
