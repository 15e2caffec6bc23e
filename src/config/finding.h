// What the loader and the linter have to say about a file: one finding per problem, always with the line to look at and
// what to do about it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace signalbox::config {

// kNote: worth knowing, nothing to do. kWarning: loads, but probably not as meant. kError: does not load.
enum class Severity { kNote, kWarning, kError };
std::string_view severity_word(Severity severity);

struct Finding {
  Severity severity = Severity::kError;
  std::string code;  // kebab-case, stable: unknown-key, unreachable-decision, ...
  std::string file;
  int line = 0;         // 1-based; 0 when the finding is about the file as a whole
  int column = 0;       // 1-based, in characters
  std::string path;     // key path as written: routing.decisions[2].priority
  std::string message;  // what is wrong; never holds the value of a secret
  std::string remedy;   // what to do

  bool operator==(const Finding&) const = default;
};

// "file:line: path: message; remedy", without severity; parts that are empty are left out.
std::string to_text(const Finding& finding);
// One text per line, errors first, at most `count_max` lines and then how many more there are.
std::string to_text(const std::vector<Finding>& findings, std::size_t count_max);
// JSON array of objects with the fields above.
std::string to_json(const std::vector<Finding>& findings);

bool any_error(const std::vector<Finding>& findings);

}  // namespace signalbox::config
