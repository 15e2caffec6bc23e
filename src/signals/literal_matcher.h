// Finds any of thousands of fixed strings in one pass over a text (Hyperscan literal sets). Whole words unless a literal
// says otherwise; case-insensitive literals are compared in simple Unicode lower case. Immutable after compile().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

struct hs_database;
struct hs_scratch;

namespace signalbox::signals {

class LiteralMatcher;

// Working memory of one thread. Grows to the largest matcher prepared for; not for two scans at once.
class Scratch {
 public:
  Scratch() = default;
  Scratch(Scratch&&) = default;
  Scratch& operator=(Scratch&&) = default;
  // Once per matcher, before its first scan with this scratch. Errors: kInternal (out of memory).
  Result<void> prepare(const LiteralMatcher& matcher);

  // Text in lower case, kept while the same text is looked at by several matchers.
  std::string_view folded(std::string_view text);
  // Forget the text: views may be reused by the next request.
  void reset() { source_ = {}; }

  std::vector<std::uint8_t> marks;  // for the caller

 private:
  friend class LiteralMatcher;
  struct Free {
    void operator()(hs_scratch* scratch) const;
  };
  std::unique_ptr<hs_scratch, Free> scratch_;
  std::string folded_;
  std::string_view source_;
};

struct Literal {
  std::string text;
  bool case_sensitive = false;
  bool whole_word = true;
};

class LiteralMatcher {
 public:
  // Told of each occurrence, ordered by where it ends (case-sensitive literals after all others). Offsets are into the
  // text that was compared: the lower-case one for case-insensitive literals. Returns false to stop the scan.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual bool found(std::uint32_t literal, std::size_t begin, std::size_t end) = 0;
  };

  LiteralMatcher() = default;  // finds nothing
  // O(total bytes); about 10 ms for 5,000 words. Equal literals are reported each. Errors: kConfig (empty literal, longer
  // than limits::kKeywordBytesMax, more than limits::kKeywordsMax), kUnsupported (CPU without SSSE3).
  static Result<LiteralMatcher> compile(std::vector<Literal> literals);

  // One pass each over the text as it is and in lower case, where literals of that kind exist. No allocation once the
  // scratch is warm. Errors: kInternal.
  Result<void> scan(std::string_view text, Scratch& scratch, Sink& sink) const;

  std::size_t size() const { return literals_.size(); }

 private:
  friend class Scratch;
  struct Free {
    void operator()(hs_database* database) const;
  };
  using Database = std::unique_ptr<hs_database, Free>;
  static Result<Database> build(const std::vector<Literal>& literals, bool case_sensitive);
  Result<void> scan_one(const hs_database* database, std::string_view text, Scratch& scratch,
                        Sink& sink, bool& stopped) const;

  std::vector<Literal> literals_;
  Database folded_;
  Database exact_;
};

}  // namespace signalbox::signals
