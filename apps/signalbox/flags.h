// Command-line flags of one subcommand: "--name value", "--name=value" and switches. Unknown ones are refused with a
// suggestion.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::cli {

struct FlagSpec {
  std::string_view name;        // without dashes
  std::string_view value_name;  // empty: a switch
  std::string_view help;
};

class Flags {
 public:
  // Errors: kInvalidArgument (unknown flag, missing value, too many positional arguments).
  static Result<Flags> parse(std::span<const std::string_view> arguments,
                             std::span<const FlagSpec> specs, std::size_t positional_max);
  // Value of the last occurrence.
  std::optional<std::string> value(std::string_view name) const;
  bool has(std::string_view name) const { return value(name).has_value(); }
  // A port number, 0 to 65535. Errors: kInvalidArgument.
  Result<std::optional<std::uint16_t>> port(std::string_view name) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<std::string> positional_;
};

// "usage: ..." with one line a flag.
std::string usage(std::string_view synopsis, std::string_view text,
                  std::span<const FlagSpec> specs);

}  // namespace signalbox::cli
