#include "config/tables/reader.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "base/limits.h"
#include "base/text.h"

namespace signalbox::config {
namespace {

std::string_view kind_words(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a single value";
    case Node::Kind::kSequence:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
  }
  return "something else";
}

std::optional<std::int64_t> to_int64(double value) {
  // 2^63 is exact as a double; anything at or above it does not fit.
  if (!(std::abs(value) < 9223372036854775808.0)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// The unit at the front of `text`, in milliseconds; moves `text` behind it.
std::optional<double> take_unit(std::string_view& text) {
  struct Unit {
    std::string_view word;
    double ms;
  };
  // "ms" before "m": the longest match first.
  constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
  for (const auto& unit : kUnits) {
    if (text.starts_with(unit.word)) {
      text.remove_prefix(unit.word.size());
      return unit.ms;
    }
  }
  return std::nullopt;
}

}  // namespace

Reader::Scope::Scope(Reader& reader, std::string_view key, const Node& node)
    : reader_(reader), saved_(reader.path_) {
  if (!node.origin.empty()) {
    reader_.path_ = node.origin;
    return;
  }
  if (!reader_.path_.empty()) reader_.path_ += '.';
  reader_.path_ += key;
}

Reader::Scope::Scope(Reader& reader, std::size_t index, const Node& node)
    : reader_(reader), saved_(reader.path_) {
  if (node.origin.empty())
    reader_.path_ += fmt::format("[{}]", index);
  else
    reader_.path_ = node.origin;
}

void Reader::add(Severity severity, std::string code, Mark mark, std::string message,
                 std::string remedy) {
  if (findings_.size() >= limits::kConfigFindingsMax) return;
  findings_.push_back({severity, std::move(code), file_, mark.line, mark.column, path_,
                       std::move(message), std::move(remedy)});
}

void Reader::error(std::string code, Mark mark, std::string message, std::string remedy) {
  add(Severity::kError, std::move(code), mark, std::move(message), std::move(remedy));
}

void Reader::warning(std::string code, Mark mark, std::string message, std::string remedy) {
  add(Severity::kWarning, std::move(code), mark, std::move(message), std::move(remedy));
}

void Reader::note(Mark mark, std::string message) {
  add(Severity::kNote, "note", mark, std::move(message), {});
}

void Reader::not_yet(std::string_view feature, Mark mark) {
  if (!features_.emplace(feature).second) return;
  add(Severity::kWarning, "not-supported-yet", mark, fmt::format("{}: not supported yet", feature),
      "it is read and has no effect in this release");
}

void Reader::unknown_key(const Node::Entry& entry, std::span<const std::string_view> known) {
  const Scope scope(*this, entry.key, entry.value);
  const auto meant = did_you_mean(entry.key, known);
  std::string remedy;
  if (meant) {
    remedy = fmt::format("did you mean '{}'?", *meant);
  } else {
    remedy = "known here:";
    for (const auto key : known) remedy += fmt::format(" {}", key);
  }
  error("unknown-key", entry.mark, fmt::format("unknown key '{}'", entry.key), std::move(remedy));
}

std::optional<std::string> Reader::text(const Node& node) {
  if (!node.is_scalar()) {
    error("wrong-type", node.mark,
          fmt::format("expected a single value, found {}", kind_words(node)));
    return std::nullopt;
  }
  if (node.scalar.find("${") == std::string::npos) return node.scalar;
  auto replaced = substitute(node.scalar, environment_);
  if (!replaced) {
    error("missing-variable", node.mark, replaced.error(),
          "set it, or write ${NAME:-default} ($${ for a literal ${)");
    return std::nullopt;
  }
  return *std::move(replaced);
}

std::optional<bool> Reader::boolean(const Node& node) {
  const auto written = text(node);
  if (!written) return std::nullopt;
  if (equal_ignore_case(*written, "true")) return true;
  if (equal_ignore_case(*written, "false")) return false;
  // YAML 1.1 words, which Helm users write and Go's YAML still takes for booleans when the field is one.
  for (const auto word : {"yes", "on"}) {
    if (equal_ignore_case(*written, word)) return true;
  }
  for (const auto word : {"no", "off"}) {
    if (equal_ignore_case(*written, word)) return false;
  }
  error("wrong-type", node.mark, fmt::format("'{}' is not a boolean", *written),
        "write true or false");
  return std::nullopt;
}

std::optional<double> Reader::number(const Node& node) {
  const auto written = text(node);
  if (!written) return std::nullopt;
  const auto value = parse_double(*written);
  if (!value || !std::isfinite(*value)) {
    error("wrong-type", node.mark, fmt::format("'{}' is not a number", *written),
          "write a number such as 0.8");
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> Reader::integer(const Node& node) {
  const auto written = text(node);
  if (!written) return std::nullopt;
  const auto value = parse_scaled(*written, 0);
  if (!value) error("wrong-type", node.mark, fmt::format("'{}' is not a whole number", *written));
  return value;
}

std::optional<std::int64_t> Reader::duration_ms(const Node& node) {
  const auto written = text(node);
  if (!written) return std::nullopt;
  const auto value = parse_duration_ms(*written);
  if (!value) {
    error("wrong-type", node.mark, fmt::format("'{}' is not a duration", *written),
          "write 250ms, 5s, 2m, 1h or a number of seconds");
  }
  return value;
}

std::optional<std::int64_t> Reader::scaled(const Node& node, std::int64_t kilo) {
  const auto written = text(node);
  if (!written) return std::nullopt;
  const auto value = parse_scaled(*written, kilo);
  if (!value) {
    error("wrong-type", node.mark, fmt::format("'{}' is not a whole number", *written),
          "write a number, with K or M behind it if you like");
  }
  return value;
}

bool Reader::expect_map(const Node& node) {
  if (node.is_map()) return true;
  error("wrong-type", node.mark, fmt::format("expected a map, found {}", kind_words(node)));
  return false;
}

bool Reader::expect_sequence(const Node& node) {
  if (node.is_sequence()) return true;
  error("wrong-type", node.mark, fmt::format("expected a list, found {}", kind_words(node)),
        "begin each element with '- '");
  return false;
}

std::vector<Finding> Reader::take_findings() { return std::move(findings_); }

std::expected<std::string, std::string> substitute(std::string_view text,
                                                   const Environment& environment) {
  std::string out;
  while (true) {
    const auto at = text.find("${");
    if (at == std::string_view::npos) return out.append(text);
    if (at > 0 && text[at - 1] == '$') {  // $${ is a literal ${
      out.append(text.substr(0, at - 1)).append("${");
      text.remove_prefix(at + 2);
      continue;
    }
    const auto end = text.find('}', at);
    if (end == std::string_view::npos) return std::unexpected("'${' without '}'");
    out.append(text.substr(0, at));
    const auto inside = text.substr(at + 2, end - at - 2);
    const auto colon = inside.find(":-");
    const std::string name(inside.substr(0, colon));
    const auto value = environment(name);
    if (value && !(value->empty() && colon != std::string_view::npos)) {
      out += *value;
    } else if (colon != std::string_view::npos) {
      out += inside.substr(colon + 2);
    } else {
      return std::unexpected(fmt::format("environment variable {} is not set", name));
    }
    text.remove_prefix(end + 1);
  }
}

std::optional<std::int64_t> parse_duration_ms(std::string_view text) {
  text = trim(text);
  if (text.empty()) return std::nullopt;
  if (const auto seconds = parse_double(text)) return to_int64(*seconds * 1000);
  double total_ms = 0;
  while (!text.empty()) {
    const auto digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    const auto value = parse_double(text.substr(0, digits));
    text.remove_prefix(digits);
    const auto unit = take_unit(text);
    if (!value || !unit) return std::nullopt;
    total_ms += *value * *unit;
  }
  return to_int64(total_ms);
}

std::optional<std::int64_t> parse_scaled(std::string_view text, std::int64_t kilo) {
  text = trim(text);
  const auto end = text.find_first_not_of("+-0123456789.eE_");
  const auto suffix = end == std::string_view::npos ? std::string_view() : trim(text.substr(end));
  double factor = 1;
  if (!suffix.empty()) {
    if (kilo == 0) return std::nullopt;
    const auto power = std::string_view("KMGT").find(static_cast<char>(suffix[0] & ~0x20));
    if (power == std::string_view::npos) return std::nullopt;
    const auto rest = suffix.substr(1);
    if (!rest.empty() && rest != "i" && rest != "iB" && rest != "B") return std::nullopt;
    factor = std::pow(rest.starts_with('i') ? 1024.0 : static_cast<double>(kilo),
                      static_cast<double>(power + 1));
  }
  const auto value = parse_double(text.substr(0, end));
  if (!value || *value * factor != std::floor(*value * factor)) return std::nullopt;
  return to_int64(*value * factor);
}

}  // namespace signalbox::config
