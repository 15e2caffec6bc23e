// What expressions do with values: members, arithmetic, order, methods, filters and tests, within a budget.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "chat_template/value.h"

namespace signalbox::chat_template {

// What one rendering may still spend. Errors of both: kPayloadTooLarge.
class Budget {
 public:
  // Evaluated expressions, elements walked.
  Result<void> step(std::size_t count = 1);
  // Text made, also what is thrown away again.
  Result<void> bytes(std::size_t count);
  // A text, paid for.
  Result<Value> text(std::string made);

 private:
  std::size_t steps_ = limits::kTemplateStepsMax;
  std::size_t bytes_ = limits::kTemplateOutputBytesMax;
};

// Of a call, a filter or a test.
struct Arguments {
  std::vector<Value> placed;
  std::vector<std::pair<std::string, Value>> named;
  // The argument of that place or name; undefined when it is not there.
  Value take(std::size_t place, std::string_view name) const;
  bool has(std::size_t place, std::string_view name) const;
  // Refuses what take() would never be asked for. Errors: kInvalidArgument.
  Result<void> only(std::size_t most, std::initializer_list<std::string_view> names) const;
};

// Errors of all: kInvalidArgument where Python or Jinja would raise, kUnsupported where this does not know what they would
// do, and those of the budget. No message holds text of the prompt.
std::unexpected<Error> refused(std::string_view why);
std::unexpected<Error> not_done(std::string_view what);

// value.name, value[key], value[start:stop:step].
Result<Value> attribute(Budget& budget, const Value& value, std::string_view name);
Result<Value> item(Budget& budget, const Value& value, const Value& key);
Result<Value> slice(Budget& budget, const Value& value, const Value& start, const Value& stop,
                    const Value& step);
// One of + - * / // %.
Result<Value> arithmetic(Budget& budget, std::string_view word, const Value& left,
                         const Value& right);
// One of == != < <= > >= in, not in.
Result<bool> compare(Budget& budget, std::string_view word, const Value& left, const Value& right);
// The elements that a loop over it takes; a generator is empty afterwards.
Result<std::vector<Value>> elements(Budget& budget, const Value& value);
Result<std::int64_t> length_of(const Value& value);

Result<Value> call_method(Budget& budget, const Function& method, const Arguments& arguments);
Result<Value> apply_filter(Budget& budget, std::string_view name, const Value& input,
                           const Arguments& arguments);
Result<bool> apply_test(Budget& budget, std::string_view name, const Value& input,
                        const Arguments& arguments);

}  // namespace signalbox::chat_template
