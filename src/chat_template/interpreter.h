// Runs a parsed template.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "chat_template/operations.h"
#include "chat_template/syntax.h"

namespace signalbox::chat_template {

// Names with values; found from the inside out.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<int, Value>> values;  // by number of the name
};

class Interpreter {
 public:
  // Both outlive this. `now` is the time of the Unix epoch that strftime_now() shows in local time.
  Interpreter(const Syntax& syntax, const Map& variables, std::chrono::seconds now);
  Result<std::string> run();

 private:
  // One level of statements and expressions inside one another.
  class Deeper {
   public:
    explicit Deeper(Interpreter& owner) : owner_(owner) { ++owner_.levels_; }
    ~Deeper() { --owner_.levels_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Interpreter& owner_;
  };
  bool too_deep() const { return levels_ > limits::kTemplateLevelsMax; }

  enum class Flow : std::uint8_t { kOn, kBreak, kContinue };

  Result<Flow> execute(const Block& block, std::string& out);
  Result<Flow> execute(const Statement& statement, std::string& out);
  Result<Flow> run_if(const Statement& statement, std::string& out);
  Result<Flow> run_for(const Statement& statement, std::string& out);
  Result<std::vector<Value>> iterated(const Statement& statement);
  Result<void> run_set(const Statement& statement);
  Result<void> assign(const Target& target, Value value);
  Result<void> print(const Value& value, std::string& out);

  Result<Value> evaluate(const Expression& expression);
  Result<Value> evaluate_list(const Expression& expression);
  Result<Value> evaluate_dict(const Expression& expression);
  Result<Value> evaluate_logic(const Expression& expression);
  Result<Value> evaluate_compare(const Expression& expression);
  Result<Value> evaluate_join(const Expression& expression);
  Result<Value> evaluate_call(const Expression& expression);
  Result<Value> evaluate_filter(const Expression& expression, const Value* block);
  Result<Value> evaluate_sign(const Expression& expression);
  Result<Arguments> arguments_of(const Expression& call);
  Result<Value> call_function(const std::string& name, const Arguments& arguments);
  Result<Value> call_macro(const Function& function, const Arguments& arguments);
  Result<Value> make_range(const Arguments& arguments);
  Result<Value> make_map(const Arguments& arguments, bool is_namespace);
  Result<Value> time_text(const Arguments& arguments);

  Value lookup(int name) const;
  void store(int name, Value value);
  Scope* new_scope(Scope* parent);
  Result<void> spend_text(std::size_t bytes) { return budget_.bytes(bytes); }

  const Syntax& syntax_;
  std::chrono::seconds now_;
  Budget budget_;
  std::deque<Scope> scopes_;  // all of this rendering: macros may look into any
  Scope* scope_ = nullptr;
  int loop_name_ = -1;
  int calls_ = 0;  // macros inside one another
  int levels_ = 0;
};

}  // namespace signalbox::chat_template
