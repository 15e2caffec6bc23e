// A request's prompt as the token ids that an engine makes of it, from the files of the model: tokenizer.json,
// tokenizer_config.json (chat template, special tokens), chat_template.jinja. Immutable after load, shared by all threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat_template/template.h"
#include "json/document.h"
#include "prompt/conversation.h"
#include "tokenize/tokenizer.h"

namespace signalbox::prompt {

// Whose fields a body has: those of a chat completion or completion, or those of vLLM's /tokenize, which knows fewer.
enum class BodyKind : std::uint8_t { kGeneration, kTokenize };

struct Rendered {
  std::string text;
  bool framed = false;  // with the tokens that the model has around a sequence
  Features features = kText;
};

// A prompt and its ids, with the places where a later prompt that begins like it can go on.
struct Tokenized {
  Rendered rendered;
  std::vector<std::uint32_t> ids;
  std::vector<tokenize::Mark> marks;
};

class PromptTokenizer {
 public:
  // Errors: kIo (a file is missing), kCorrupt, kUnsupported (of tokenizer or template; the message says what).
  // Cost: as of load_tokenizer().
  static Result<std::shared_ptr<const PromptTokenizer>> load(const std::string& directory);

  // The text that the engine would tokenise: of `messages` by the chat template, else of the text `prompt`. `now` since
  // the Unix epoch. Errors: kUnsupported (left to the engine), kInvalidArgument (the engine would refuse it too),
  // kPayloadTooLarge. Cost: see chat_template/template.h.
  Result<Rendered> render(json::Value body, BodyKind kind, std::chrono::seconds now) const;

  // Its ids. Where the text begins as that of `before` (may be nullptr) does, only what follows is tokenised, from the
  // last special token that both have; the ids are the same. O(text) to compare, then some ten ns a byte of the rest.
  Tokenized tokenize(Rendered rendered, const Tokenized* before) const;

  // Bytes that tokenize() would have to look at anew.
  std::size_t new_bytes(const Rendered& rendered, const Tokenized* before) const;

  // Kinds of requests that agreement is worth asking about.
  Features features() const;

 private:
  PromptTokenizer() = default;
  Result<void> read_config(const std::string& directory);
  Result<void> read_templates(const std::string& directory, json::Value config);
  Result<Rendered> render_chat(json::Value body, BodyKind kind, std::chrono::seconds now) const;
  const tokenize::Mark* resume(const Rendered& rendered, const Tokenized* before) const;

  std::unique_ptr<const tokenize::Tokenizer> tokenizer_;
  std::shared_ptr<const chat_template::Template> template_;       // nullptr: none
  std::shared_ptr<const chat_template::Template> tool_template_;  // where tools are offered
  chat_template::Map special_tokens_;
};

}  // namespace signalbox::prompt
