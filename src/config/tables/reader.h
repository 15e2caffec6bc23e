// Reads a document tree into structs along the field tables and collects every problem on the way. A Reader is used for
// one file; it never stops at the first problem, so that an operator sees all of them at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/finding.h"
#include "config/yaml/tree.h"

namespace signalbox::config {

// Looks up an environment variable.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

class Reader {
 public:
  Reader(std::string file, Environment environment)
      : file_(std::move(file)), environment_(std::move(environment)) {}

  // Appends a path component for its lifetime. A node that a conversion moved replaces the whole path by its origin.
  class Scope {
   public:
    Scope(Reader& reader, std::string_view key, const Node& node);
    Scope(Reader& reader, std::size_t index, const Node& node);
    ~Scope() { reader_.path_ = std::move(saved_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Reader& reader_;
    std::string saved_;
  };

  void error(std::string code, Mark mark, std::string message, std::string remedy = {});
  void warning(std::string code, Mark mark, std::string message, std::string remedy = {});
  void note(Mark mark, std::string message);
  // Records a use of something of a later release; only the first use of each feature becomes a finding.
  void not_yet(std::string_view feature, Mark mark);
  // An error that names the nearest known key.
  void unknown_key(const Node::Entry& entry, std::span<const std::string_view> known);

  // Text of a scalar with ${VAR} and ${VAR:-default} replaced ($${ gives a literal ${). Nothing, and an error, when the
  // node is not a scalar or a variable without default is missing.
  std::optional<std::string> text(const Node& node);
  std::optional<bool> boolean(const Node& node);
  std::optional<double> number(const Node& node);
  std::optional<std::int64_t> integer(const Node& node);
  // Milliseconds of "250ms", "5s", "2m", "1h", "1m30s", or of a bare number of seconds.
  std::optional<std::int64_t> duration_ms(const Node& node);
  // Whole numbers with a suffix: K, M, G (1000s for counts of tokens, 1024s for bytes), Ki, Mi, Gi always 1024s.
  std::optional<std::int64_t> scaled(const Node& node, std::int64_t kilo);
  bool expect_map(const Node& node);
  bool expect_sequence(const Node& node);

  std::optional<std::string> environment(const std::string& name) const {
    return environment_(name);
  }
  const std::string& path() const { return path_; }
  const std::string& file() const { return file_; }
  std::vector<Finding> take_findings();

 private:
  void add(Severity severity, std::string code, Mark mark, std::string message, std::string remedy);
  std::string file_;
  Environment environment_;
  std::string path_;
  std::vector<Finding> findings_;
  std::set<std::string, std::less<>> features_;
};

// ${...} replacement on its own. Errors: a message naming the variable.
std::expected<std::string, std::string> substitute(std::string_view text,
                                                   const Environment& environment);
// Milliseconds of a duration text as above; nothing when it is none.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
std::optional<std::int64_t> parse_scaled(std::string_view text, std::int64_t kilo);

}  // namespace signalbox::config
