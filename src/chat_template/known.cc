#include "chat_template/known.h"

#include <algorithm>
#include <array>

namespace signalbox::chat_template {
namespace {

constexpr auto kFilters = std::to_array<std::string_view>(
    {"abs",    "capitalize", "count",      "d",       "default", "dictsort", "first",  "float",
     "indent", "int",        "items",      "join",    "last",    "length",   "list",   "lower",
     "map",    "reject",     "rejectattr", "replace", "reverse", "safe",     "select", "selectattr",
     "string", "title",      "tojson",     "trim",    "unique",  "upper"});
constexpr auto kTests = std::to_array<std::string_view>(
    {"!=",      "<",        "<=",       "==",          ">",           ">=",
     "boolean", "callable", "defined",  "divisibleby", "eq",          "equalto",
     "even",    "false",    "float",    "ge",          "greaterthan", "gt",
     "in",      "integer",  "iterable", "le",          "lessthan",    "lower",
     "lt",      "mapping",  "ne",       "none",        "number",      "odd",
     "sameas",  "sequence", "string",   "true",        "undefined",   "upper"});
constexpr auto kFunctions = std::to_array<std::string_view>(
    {"dict", "namespace", "raise_exception", "range", "strftime_now"});
constexpr auto kMethods = std::to_array<std::string_view>(
    {"capitalize", "copy",       "count",      "cycle",     "endswith",     "find",
     "get",        "index",      "isalpha",    "isdigit",   "items",        "join",
     "keys",       "lower",      "lstrip",     "partition", "removeprefix", "removesuffix",
     "replace",    "rfind",      "rpartition", "rsplit",    "rstrip",       "split",
     "splitlines", "startswith", "strip",      "title",     "upper",        "values"});
constexpr auto kTextMethods = std::to_array<std::string_view>(
    {"capitalize",   "casefold",    "center",    "count",      "encode",       "endswith",
     "expandtabs",   "find",        "format",    "format_map", "index",        "isalnum",
     "isalpha",      "isascii",     "isdecimal", "isdigit",    "isidentifier", "islower",
     "isnumeric",    "isprintable", "isspace",   "istitle",    "isupper",      "join",
     "ljust",        "lower",       "lstrip",    "maketrans",  "partition",    "removeprefix",
     "removesuffix", "replace",     "rfind",     "rindex",     "rjust",        "rpartition",
     "rsplit",       "rstrip",      "split",     "splitlines", "startswith",   "strip",
     "swapcase",     "title",       "translate", "upper",      "zfill"});
constexpr auto kDictMethods =
    std::to_array<std::string_view>({"clear", "copy", "fromkeys", "get", "items", "keys", "pop",
                                     "popitem", "setdefault", "update", "values"});
constexpr auto kListMethods =
    std::to_array<std::string_view>({"append", "clear", "copy", "count", "extend", "index",
                                     "insert", "pop", "remove", "reverse", "sort"});

bool has(const auto& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

}  // namespace

bool is_known_filter(std::string_view name) { return has(kFilters, name); }
bool is_known_test(std::string_view name) { return has(kTests, name); }
bool is_known_function(std::string_view name) { return has(kFunctions, name); }
bool is_known_method(std::string_view name) { return has(kMethods, name); }

bool has_method(Owner owner, std::string_view name) {
  switch (owner) {
    case Owner::kText:
      return has(kTextMethods, name);
    case Owner::kDict:
      return has(kDictMethods, name);
    case Owner::kList:
      return has(kListMethods, name);
  }
  return false;
}

}  // namespace signalbox::chat_template
