// Chat templates: the part of Jinja2 that templates of published models use, rendered as PyPI `transformers` renders them.
// What a template uses and this does not know is an error when it is compiled, or when the rendering comes to it; there is
// no rendering that is silently another one.
//
// Bounds: kTemplate* of base/limits.h, on size, nesting, steps and text. A compiled template is immutable and shared by all
// threads; a rendering belongs to one.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "chat_template/value.h"
#include "json/document.h"

namespace signalbox::chat_template {

struct Syntax;

// How the content of a message is given to a template.
enum class ContentFormat : std::uint8_t {
  kText,  // one string
  kParts  // a list of {"type": "text", "text": ..}
};

class Template {
 public:
  // Errors: kCorrupt (syntax), kUnsupported (something that is not known here); messages name the line.
  static Result<std::shared_ptr<const Template>> compile(std::string source);
  ~Template();
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  // `variables` by name: messages, tools, add_generation_prompt, bos_token and the like; `now` since the Unix epoch, for
  // strftime_now(). Errors: kInvalidArgument (the template refuses, or Python would raise), kUnsupported,
  // kPayloadTooLarge (a bound); no message holds text of the prompt.
  // Cost: some microseconds, and a copy or two of the text.
  Result<std::string> render(const Map& variables, std::chrono::seconds now) const;

  // Does its text say this anywhere?
  bool mentions(std::string_view word) const { return source_.find(word) != std::string::npos; }
  // As vLLM 0.32 finds it out (vllm/renderers/hf.py): parts where the template loops over the content of a message.
  ContentFormat content_format() const { return format_; }

 private:
  Template(std::string source, std::unique_ptr<const Syntax> syntax);
  std::string source_;
  std::unique_ptr<const Syntax> syntax_;
  ContentFormat format_;
};

// JSON as Python's json.loads() reads it. Errors: kUnsupported (numbers beyond 64 bits).
Result<Value> from_json(json::Value json);

}  // namespace signalbox::chat_template
