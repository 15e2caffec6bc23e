// Values of a template while it is rendered, with Python's rules for truth, equality and text. Cheap to copy: texts and
// containers are shared. Belong to one rendering and one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace signalbox::chat_template {

class Value;
struct Macro;
struct Scope;

struct Undefined {};
struct None {};
struct Text {
  std::shared_ptr<const std::string> text;
  bool safe =
      false;  // went through the filter `safe`: adding to it would escape, which nothing here does
};

// Python's sequences. A generator can be walked once and has neither length nor places.
struct List {
  enum class Form : std::uint8_t { kList, kTuple, kRange, kView, kGenerator };
  Form form = Form::kList;
  std::vector<Value> items;
  bool consumed = false;
  int depth = 1;  // of what it holds, itself included; kept by Value
  bool holds_namespace = false;
};

// A dict with texts as keys, in order of insertion; or a namespace().
struct Map {
  bool is_namespace = false;
  std::vector<std::pair<std::string, Value>> members;
  int depth = 1;
  bool holds_namespace = false;
  // nullptr: no such key. O(members); objects of a request are small.
  const Value* find(std::string_view key) const;
  void set(std::string_view key, Value value);
};

struct Function;

// The variable `loop`.
struct Loop {
  std::vector<Value> items;
  std::size_t at = 0;
};

class Value {
 public:
  Value() = default;
  Value(None) : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(std::string text, bool safe = false)
      : data_(Text{std::make_shared<const std::string>(std::move(text)), safe}) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(List list);
  Value(Map map);
  Value(std::shared_ptr<Loop> loop) : data_(std::move(loop)) {}
  Value(Function function);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* text() const {
    const auto* found = std::get_if<Text>(&data_);
    return found == nullptr ? nullptr : found->text.get();
  }
  bool is_safe_text() const {
    const auto* found = std::get_if<Text>(&data_);
    return found != nullptr && found->safe;
  }
  List* list() const { return pointee<List>(); }
  // Also a namespace.
  Map* map() const { return pointee<Map>(); }
  bool is_mapping() const { return map() != nullptr && !map()->is_namespace; }
  Loop* loop() const { return pointee<Loop>(); }
  const Function* function() const { return pointee<Function>(); }
  // An int, or a bool as the int that it is in Python.
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&data_); }
  bool is_number() const;
  // Of numbers and bools; 0 for others.
  double as_double() const;
  std::int64_t as_integer() const;

  // Containers inside one another; 0 for others.
  int depth() const;
  // Could hold, or be, a namespace: what a namespace must not hold in turn, because nothing would free the circle.
  bool holds_namespace() const;

  bool truth() const;
  bool same_object(const Value& other) const;

 private:
  template <class T>
  T* pointee() const {
    const auto* found = std::get_if<std::shared_ptr<T>>(&data_);
    return found == nullptr ? nullptr : found->get();
  }
  std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<List>,
               std::shared_ptr<Map>, std::shared_ptr<Loop>, std::shared_ptr<Function>>
      data_;
};

// Something that can be called: a macro, a function that every template has, or a method of a value.
struct Function {
  std::string name;
  const Macro* macro = nullptr;  // lives in the template
  Scope* scope = nullptr;        // where the macro was defined; lives as long as the rendering
  Value self = Value();          // of a method
  bool method = false;
};

inline Value::Value(Function function) : data_(std::make_shared<Function>(std::move(function))) {}

// Python's ==. Errors: kUnsupported (functions, views and the like), or nested too deeply.
Result<bool> equal(const Value& a, const Value& b, int depth = 0);
// Python's str(). Errors: kUnsupported, where that would be the address of an object, or repr() of text beyond ASCII.
Result<std::string> to_text(const Value& value);
// json.dumps() as the filter `tojson` of transformers calls it. `indent` negative: on one line. Errors: kUnsupported.
struct JsonStyle {
  int indent = -1;
  bool ascii = false;
  bool sort_keys = false;
  std::string item_separator;  // empty: Python's default
  std::string key_separator;
};
Result<std::string> to_json(const Value& value, const JsonStyle& style);

}  // namespace signalbox::chat_template
