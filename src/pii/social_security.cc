// US social security numbers: area, group and serial in the ranges that are issued.
#include <array>

#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kContextBytes = 60, kContextAfterBytes = 32;
constexpr std::array<std::string_view, 8> kContext{"ssn*", "social security", "social", "soc sec",
                                                   "ss#",  "ss no",           "ssno",   "socials"};

bool issued(std::string_view digits) {
  const std::string_view area = digits.substr(0, 3);
  return area != "000" && area != "666" && area[0] != '9' && digits.substr(3, 2) != "00" &&
         digits.substr(5) != "0000";
}

bool in_context(const NumberRun& run, std::size_t from, std::size_t to) {
  return context_since_number(run.text(), run[from].begin, kContextBytes, kContext) ||
         context_after(run.text(), run[to - 1].end, kContextAfterBytes, kContext);
}

bool glued(const NumberRun& run, std::size_t from, std::size_t to) {
  const std::size_t begin = run[from].begin;
  return (begin > 0 && (is_word_byte(run.text()[begin - 1]) || run.text()[begin - 1] == '+')) ||
         is_word_byte(at_or_nul(run.text(), run[to - 1].end));
}

// The same separator right outside says that the three groups are part of something longer.
bool part_of_more(const NumberRun& run, std::size_t from) {
  const std::string_view separator = run.separator(from + 1);
  return (from > 0 && run.separator(from) == separator) ||
         (from + 3 < run.size() && run.separator(from + 3) == separator);
}

bool grouped(const NumberRun& run, std::size_t from) {
  if (from + 3 > run.size()) return false;
  if (run[from].size() != 3 || run[from + 1].size() != 2 || run[from + 2].size() != 4) return false;
  return run.same_separators(from, from + 3) &&
         run.separator(from + 1).find_first_of("/()") == std::string_view::npos;
}

}  // namespace

void find_social_security_numbers(const NumberRun& run, std::vector<Entity>& out) {
  for (std::size_t from = 0; from < run.size(); ++from) {
    const std::size_t to = from + (grouped(run, from) ? 3 : 1);
    if (run.count_digits(from, to) != 9 || glued(run, from, to) || !issued(run.digits(from, to))) {
      continue;
    }
    const bool context = in_context(run, from, to);
    if (!context && (to == from + 1 || part_of_more(run, from))) continue;
    out.push_back(
        {run[from].begin, run[to - 1].end, Type::kUsSsn, context ? 0.99f : 0.9f, Source::kRule});
    from = to - 1;
  }
}

}  // namespace signalbox::pii
