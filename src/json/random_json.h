// Random JSON texts for tests: odd whitespace, escapes in keys and strings, repeated keys, every kind of number.
#pragma once

#include <string>

#include "base/random.h"

namespace signalbox::json {

// One value nested at most `depth` levels.
inline std::string random_json(Random& random, int depth);

namespace random_json_detail {

template <std::size_t N>
const char* pick(Random& random, const char* const (&choices)[N]) {
  return choices[random.below(N)];
}

inline std::string space(Random& random) {
  static constexpr const char* kSpaces[] = {"", "", "", " ", "\n\t", "\r\n  "};
  return pick(random, kSpaces);
}

inline std::string key(Random& random) {
  static constexpr const char* kKeys[] = {
      "\"model\"",     "\"mod\\u0065l\"", "\"a\"",       "\"b\"",        "\"\"",  "\"\xC3\xA9\"",
      "\"\\\"q\\\\\"", "\"stream\"",      "\"\\ud800\"", "\"messages\"", "\"c\"", "\"d\""};
  return pick(random, kKeys);
}

inline std::string scalar(Random& random) {
  static constexpr const char* kScalars[] = {"null",
                                             "true",
                                             "false",
                                             "0",
                                             "-1.5e+3",
                                             "12345678901234567890",
                                             "\"\"",
                                             "\"text\"",
                                             "\"\\u0000\\ud83d\\ude00\"",
                                             "\"\xE6\xBC\xA2\xE5\xAD\x97\"",
                                             "\"{[,]}:\\\"\"",
                                             "\"0123456789abcdef\\n\""};
  return pick(random, kScalars);
}

inline std::string container(Random& random, int depth, bool object) {
  std::string out(1, object ? '{' : '[');
  const std::uint64_t count = random.below(5);
  out += space(random);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) out += ',' + space(random);
    if (object) out += key(random) + space(random) + ':' + space(random);
    out += random_json(random, depth - 1) + space(random);
  }
  return out + (object ? '}' : ']');
}

}  // namespace random_json_detail

inline std::string random_json(Random& random, int depth) {
  const std::uint64_t kind = depth > 0 ? random.below(4) : 0;
  if (kind == 0) return random_json_detail::scalar(random);
  return random_json_detail::container(random, depth, kind != 1);
}

}  // namespace signalbox::json
