#include "chat_template/interpreter.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/limits.h"
#include "chat_template/known.h"

namespace signalbox::chat_template {

Interpreter::Interpreter(const Syntax& syntax, const Map& variables, std::chrono::seconds now)
    : syntax_(syntax), now_(now) {
  scope_ = new_scope(nullptr);
  for (std::size_t i = 0; i < syntax.names.size(); ++i) {
    const std::string& name = syntax.names[i];
    if (name == "loop") loop_name_ = static_cast<int>(i);
    if (const Value* value = variables.find(name)) {
      store(static_cast<int>(i), *value);
    } else if (is_known_function(name)) {
      store(static_cast<int>(i), Value(Function{.name = name}));
    }
  }
  scope_ = new_scope(scope_);
}

Result<std::string> Interpreter::run() {
  std::string out;
  SBX_CHECK_OK(execute(syntax_.body, out));
  return out;
}

Scope* Interpreter::new_scope(Scope* parent) { return &scopes_.emplace_back(Scope{parent, {}}); }

Value Interpreter::lookup(int name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (const auto& [key, value] : scope->values) {
      if (key == name) return value;
    }
  }
  return Value();
}

void Interpreter::store(int name, Value value) {
  for (auto& [key, old] : scope_->values) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  scope_->values.emplace_back(name, std::move(value));
}

Result<Interpreter::Flow> Interpreter::execute(const Block& block, std::string& out) {
  for (const auto& statement : block) {
    SBX_TRY(const Flow flow, execute(*statement, out));
    if (flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

Result<void> Interpreter::print(const Value& value, std::string& out) {
  if (const auto* text = value.text()) {
    SBX_CHECK_OK(budget_.bytes(text->size()));
    out += *text;
    return {};
  }
  SBX_TRY(const auto text, to_text(value));
  SBX_CHECK_OK(budget_.bytes(text.size()));
  out += text;
  return {};
}

Result<Interpreter::Flow> Interpreter::execute(const Statement& statement, std::string& out) {
  SBX_CHECK_OK(budget_.step());
  const Deeper deeper(*this);
  if (too_deep()) return refused("the template goes too deep");
  switch (statement.kind) {
    case Statement::Kind::kText:
      SBX_CHECK_OK(budget_.bytes(statement.text.size()));
      out += statement.text;
      return Flow::kOn;
    case Statement::Kind::kOutput: {
      SBX_TRY(const Value value, evaluate(*statement.expressions[0]));
      SBX_CHECK_OK(print(value, out));
      return Flow::kOn;
    }
    case Statement::Kind::kIf:
      return run_if(statement, out);
    case Statement::Kind::kFor:
      return run_for(statement, out);
    case Statement::Kind::kSet:
    case Statement::Kind::kSetBlock:
      SBX_CHECK_OK(run_set(statement));
      return Flow::kOn;
    case Statement::Kind::kMacro:
      store(statement.macro_name,
            Value(Function{
                .name = statement.macro->name, .macro = statement.macro.get(), .scope = scope_}));
      return Flow::kOn;
    case Statement::Kind::kGeneration: {
      Scope* outside = std::exchange(scope_, new_scope(scope_));
      auto flow = execute(statement.blocks[0], out);
      scope_ = outside;
      return flow;
    }
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kOn;
}

Result<Interpreter::Flow> Interpreter::run_if(const Statement& statement, std::string& out) {
  for (std::size_t i = 0; i < statement.expressions.size(); ++i) {
    SBX_TRY(const Value condition, evaluate(*statement.expressions[i]));
    if (condition.truth()) return execute(statement.blocks[i], out);
  }
  if (statement.blocks.size() > statement.expressions.size())
    return execute(statement.blocks.back(), out);
  return Flow::kOn;
}

// What a loop walks through, without what its condition leaves out.
Result<std::vector<Value>> Interpreter::iterated(const Statement& statement) {
  SBX_TRY(const Value value, evaluate(*statement.expressions[0]));
  SBX_TRY(auto items, elements(budget_, value));
  if (!statement.expressions[1]) return items;
  Scope* outside = std::exchange(scope_, new_scope(scope_));
  std::vector<Value> kept;
  Result<void> done;
  for (Value& one : items) {
    done = assign(statement.target, one);
    if (!done) break;
    const auto condition = evaluate(*statement.expressions[1]);
    if (!condition) done = std::unexpected(condition.error());
    if (!done) break;
    if (condition->truth()) kept.push_back(std::move(one));
  }
  scope_ = outside;
  if (!done) return std::unexpected(std::move(done).error());
  return kept;
}

Result<Interpreter::Flow> Interpreter::run_for(const Statement& statement, std::string& out) {
  SBX_TRY(auto items, iterated(statement));
  if (items.empty())
    return statement.blocks.size() > 1 ? execute(statement.blocks[1], out)
                                       : Result<Flow>(Flow::kOn);
  auto loop = std::make_shared<Loop>();
  loop->items = std::move(items);
  Scope* outside = std::exchange(scope_, new_scope(scope_));
  Result<Flow> flow = Flow::kOn;
  for (loop->at = 0; loop->at < loop->items.size(); ++loop->at) {
    scope_->values.clear();
    if (loop_name_ >= 0) store(loop_name_, Value(loop));
    if (auto assigned = assign(statement.target, loop->items[loop->at]); !assigned) {
      flow = std::unexpected(std::move(assigned).error());
      break;
    }
    flow = execute(statement.blocks[0], out);
    if (!flow || *flow == Flow::kBreak) break;
  }
  scope_ = outside;
  if (!flow) return flow;
  return Flow::kOn;
}

Result<void> Interpreter::run_set(const Statement& statement) {
  if (statement.kind == Statement::Kind::kSet) {
    SBX_TRY(auto value, evaluate(*statement.expressions[0]));
    return assign(statement.target, std::move(value));
  }
  std::string text;
  Scope* outside = std::exchange(scope_, new_scope(scope_));
  const auto flow = execute(statement.blocks[0], text);
  scope_ = outside;
  if (!flow) return std::unexpected(flow.error());
  Value value(std::move(text));
  if (statement.expressions[0]) {
    SBX_TRY(value, evaluate_filter(*statement.expressions[0], &value));
  }
  return assign(statement.target, std::move(value));
}

Result<void> Interpreter::assign(const Target& target, Value value) {
  if (value.depth() > 2 * limits::kTemplateDepthMax) return refused("values nested too deeply");
  if (!target.member.empty()) {
    const Value owner = lookup(target.names[0]);
    if (owner.map() == nullptr || !owner.map()->is_namespace)
      return refused("only members of a namespace can be assigned to");
    if (value.holds_namespace()) return not_done("a namespace inside a namespace");
    owner.map()->set(target.member, std::move(value));
    return {};
  }
  if (!target.tuple) {
    store(target.names[0], std::move(value));
    return {};
  }
  SBX_TRY(const auto parts, elements(budget_, value));
  if (parts.size() != target.names.size()) return refused("another number of values to assign");
  for (std::size_t i = 0; i < parts.size(); ++i) store(target.names[i], parts[i]);
  return {};
}

Result<Value> Interpreter::call_macro(const Function& function, const Arguments& arguments) {
  const Macro& macro = *function.macro;
  if (arguments.placed.size() > macro.parameters.size())
    return refused("too many arguments of a macro");
  for (const auto& [name, value] : arguments.named) {
    const auto at = std::ranges::find(macro.parameters, name, &Macro::Parameter::spelled);
    if (at == macro.parameters.end() ||
        static_cast<std::size_t>(at - macro.parameters.begin()) < arguments.placed.size())
      return refused("an unknown argument of a macro");
  }
  if (calls_ >= limits::kTemplateCallsMax) return refused("macros call one another too deeply");
  ++calls_;
  Scope* caller = std::exchange(scope_, new_scope(function.scope));
  std::string out;
  Result<void> ready;
  for (std::size_t i = 0; i < macro.parameters.size() && ready; ++i) {
    const Macro::Parameter& parameter = macro.parameters[i];
    Value value = arguments.take(i, parameter.spelled);
    if (!arguments.has(i, parameter.spelled) && parameter.otherwise) {
      auto made = evaluate(*parameter.otherwise);
      if (made) value = *std::move(made);
      if (!made) ready = std::unexpected(std::move(made).error());
    }
    store(parameter.name, std::move(value));
  }
  Result<Flow> flow = Flow::kOn;
  if (ready) flow = execute(macro.body, out);
  scope_ = caller;
  --calls_;
  if (!ready) return std::unexpected(std::move(ready).error());
  if (!flow) return std::unexpected(std::move(flow).error());
  return Value(std::move(out));
}

Result<Value> Interpreter::call_function(const std::string& name, const Arguments& arguments) {
  if (name == "range") return make_range(arguments);
  if (name == "namespace" || name == "dict") return make_map(arguments, name == "namespace");
  if (name == "strftime_now") return time_text(arguments);
  // Templates put pieces of the prompt into what they say.
  if (name == "raise_exception") return refused("the template refuses these messages");
  return not_done("the function " + name);
}

Result<Value> Interpreter::make_range(const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(3, {}));
  std::vector<std::int64_t> numbers;
  for (const Value& value : arguments.placed) {
    if (!value.integer() && !value.boolean()) return refused("range() takes whole numbers");
    numbers.push_back(value.as_integer());
  }
  if (numbers.empty()) return refused("range() of nothing");
  const std::int64_t from = numbers.size() > 1 ? numbers[0] : 0;
  const std::int64_t to = numbers.size() > 1 ? numbers[1] : numbers[0];
  const std::int64_t step = numbers.size() > 2 ? numbers[2] : 1;
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  for (const std::int64_t number : {from, to, step}) {
    if (number > kMost || number < -kMost) return refused("too long a range");
  }
  if (step == 0) return refused("the step of a range is zero");
  List list{.form = List::Form::kRange, .items = {}};
  for (std::int64_t at = from; step > 0 ? at < to : at > to; at += step) {
    SBX_CHECK_OK(budget_.step());
    list.items.emplace_back(at);
  }
  return Value(std::move(list));
}

Result<Value> Interpreter::make_map(const Arguments& arguments, bool is_namespace) {
  SBX_CHECK_OK(budget_.step(arguments.named.size()));
  Map map;
  if (arguments.placed.size() > 1) return refused("dict() and namespace() take one mapping");
  if (!arguments.placed.empty()) {
    if (!arguments.placed[0].is_mapping()) return not_done("dict() of pairs");
    map = *arguments.placed[0].map();
  }
  map.is_namespace = is_namespace;
  for (const auto& [name, value] : arguments.named) map.set(name, value);
  return Value(std::move(map));
}

Result<Value> Interpreter::time_text(const Arguments& arguments) {
  SBX_CHECK_OK(arguments.only(1, {"format"}));
  const Value format = arguments.take(0, "format");
  if (!format.text() || format.text()->size() > limits::kTemplateTimeBytesMax)
    return refused("strftime_now() takes a short text");
  if (format.text()->empty()) return Value("");
  for (std::size_t at = format.text()->find('%'); at != std::string::npos;
       at = format.text()->find('%', at + 2)) {
    const char code = at + 1 < format.text()->size() ? (*format.text())[at + 1] : '%';
    if (std::string_view("aAbBdHIjmMpSyY%").find(code) == std::string_view::npos)
      return not_done("this format of a time");
  }
  const std::time_t seconds = now_.count();
  std::tm time{};
  if (localtime_r(&seconds, &time) == nullptr) return refused("not a time");
  std::string out(limits::kTemplateTimeBytesMax * 16, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.text()->c_str(), &time));
  return budget_.text(std::move(out));
}

}  // namespace signalbox::chat_template
