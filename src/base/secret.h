// A value that must not be seen: API keys, tokens. Prints as *** everywhere; reveal() is the one way out and is called
// only where the value goes on the wire.
#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace signalbox {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace signalbox

template <>
struct fmt::formatter<signalbox::Secret> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  auto format(const signalbox::Secret& secret, format_context& context) const {
    return fmt::format_to(context.out(), "{}", secret.empty() ? "" : "***");
  }
};
