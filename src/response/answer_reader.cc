#include "response/answer_reader.h"

#include <array>
#include <optional>

#include "json/document.h"

namespace signalbox::response {
namespace {

using exchange::Endpoint;
using exchange::Usage;
using json::Value;

// An engine that repeats a key is not worth an error here: the value counts as absent.
std::optional<Value> member(Value object, std::string_view key) {
  auto found = object.find(key);
  return found ? *found : std::nullopt;
}

// An object of many keys that are looked for and few that are there.
struct Sparse {
  explicit Sparse(Value object) : value(object), key_lengths(object.key_lengths()) {}
  Value value;
  std::uint64_t key_lengths;
};

std::optional<Value> member(const Sparse& object, std::string_view key) {
  if ((object.key_lengths & Value::length_bit(key)) == 0) return std::nullopt;
  return member(object.value, key);
}

std::optional<std::int64_t> count(const Sparse& object, std::string_view key) {
  const auto value = member(object, key);
  const auto number = value ? value->integer() : std::nullopt;
  return number && *number >= 0 ? number : std::nullopt;
}

bool is_filled_string(const std::optional<Value>& value) {
  return value && value->is_string() && value->end() - value->begin() > 2;
}

void read_cached(const Sparse& usage, Usage& out) {
  for (const auto* key : {"prompt_tokens_details", "input_tokens_details"}) {
    const auto details = member(usage, key);
    if (const auto cached = details ? count(Sparse(*details), "cached_tokens") : std::nullopt)
      out.cached_tokens = *cached;
  }
}

// Both namings. Anthropic's input_tokens leaves out what came from its prompt cache; here prompt tokens are all.
void read_usage(Value value, Usage& out) {
  if (!value.is_object()) return;
  const Sparse usage(value);
  read_cached(usage, out);
  if (const auto prompt = count(usage, "prompt_tokens")) {
    out.prompt_tokens = *prompt;
    out.known = true;
  } else if (const auto input = count(usage, "input_tokens")) {
    const auto cache_read = count(usage, "cache_read_input_tokens");
    if (cache_read) out.cached_tokens = *cache_read;
    out.prompt_tokens =
        *input + cache_read.value_or(0) + count(usage, "cache_creation_input_tokens").value_or(0);
    out.known = true;
  }
  for (const auto* key : {"completion_tokens", "output_tokens"}) {
    const auto tokens = count(usage, key);
    if (!tokens) continue;
    out.completion_tokens = *tokens;
    out.known = true;
  }
}

bool delta_has_output(Value delta) {
  for (const auto* key : {"content", "reasoning_content", "reasoning", "refusal"}) {
    if (is_filled_string(member(delta, key))) return true;
  }
  const auto calls = member(delta, "tool_calls");
  return calls && calls->is_array() && calls->size() > 0;
}

bool choices_have_output(Value choices) {
  for (const Value choice : choices.element_range()) {
    if (is_filled_string(member(choice, "text"))) return true;
    const auto delta = member(choice, "delta");
    if (delta && delta_has_output(*delta)) return true;
  }
  return false;
}

FrameFacts read_choices_frame(Value root, Usage& usage) {
  FrameFacts facts;
  const auto tokens = member(root, "usage");
  if (tokens) read_usage(*tokens, usage);
  const auto choices = member(root, "choices");
  if (!choices || !choices->is_array()) return facts;
  facts.output = choices_have_output(*choices);
  facts.usage_only = choices->size() == 0 && tokens && tokens->is_object();
  return facts;
}

FrameFacts read_messages_frame(Value root, std::string_view type, Usage& usage) {
  FrameFacts facts;
  facts.output = type == "content_block_delta";
  facts.end = type == "message_stop";
  if (const auto tokens = member(root, "usage")) read_usage(*tokens, usage);
  const auto message = type == "message_start" ? member(root, "message") : std::nullopt;
  const auto tokens = message ? member(*message, "usage") : std::nullopt;
  if (tokens) read_usage(*tokens, usage);
  return facts;
}

FrameFacts read_responses_frame(Value root, std::string_view type, Usage& usage) {
  FrameFacts facts;
  facts.output = type.ends_with(".delta");
  facts.end =
      type == "response.completed" || type == "response.incomplete" || type == "response.failed";
  const auto answer = facts.end ? member(root, "response") : std::nullopt;
  const auto tokens = answer ? member(*answer, "usage") : std::nullopt;
  if (tokens) read_usage(*tokens, usage);
  return facts;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

constexpr std::array<bool, 256> kStructural = [] {
  std::array<bool, 256> table{};
  for (const char c : {'"', '{', '}', '[', ']'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

// Where the container that is open at `at` ends (one past it), given that `at` is outside any string; npos if it does not.
std::size_t end_of_open_container(std::string_view text, std::size_t at) {
  std::size_t depth = 1;
  while (at < text.size()) {
    const char c = text[at++];
    if (!kStructural[static_cast<unsigned char>(c)]) continue;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
    if (c != '"') continue;
    while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    ++at;
    if (at > text.size()) break;
  }
  return std::string_view::npos;
}

// The value of the member `usage` of the outermost object, if that is an object. Engines write it near the end, so it is
// looked for from there: parsing a whole answer costs ten times as much. A quote inside a JSON string is escaped, so
// these bytes with a colon behind them can only be a key; that it is the outermost object's key is seen from the rest of
// the text, which must close exactly that object.
std::string_view find_usage(std::string_view body) {
  constexpr std::string_view kKey = "\"usage\"";
  constexpr int kWalksMax = 8;  // an answer has one such object; each costs a walk to the end
  while (!body.empty() && is_space(body.back())) body.remove_suffix(1);
  const auto skip_space = [&](std::size_t at) {
    while (at < body.size() && is_space(body[at])) ++at;
    return at;
  };
  std::size_t key = body.size();
  for (int walks = 0; walks < kWalksMax && key > 0;) {
    key = body.rfind(kKey, key - 1);
    if (key == std::string_view::npos) break;
    std::size_t at = skip_space(key + kKey.size());
    if (at >= body.size() || body[at] != ':') continue;
    at = skip_space(at + 1);
    if (at >= body.size() || body[at] != '{') continue;
    ++walks;
    const std::size_t end = end_of_open_container(body, at + 1);
    if (end == std::string_view::npos) continue;
    if (end_of_open_container(body, end) == body.size()) return body.substr(at, end - at);
  }
  return {};
}

}  // namespace

FrameFacts read_frame(Endpoint endpoint, const http::SseFrame& frame, Usage& usage) {
  if (!frame.has_data) return {};
  if (frame.data == "[DONE]") return {.end = true};
  const auto document = json::Document::parse(frame.data);
  if (!document || !document->root().is_object()) return {};
  const Value root = document->root();
  if (endpoint != Endpoint::kMessages && endpoint != Endpoint::kResponses)
    return read_choices_frame(root, usage);
  // The event's name is repeated in the data; some engines send only one of the two.
  std::string storage;
  const auto type_value = member(root, "type");
  const auto type = type_value ? type_value->string_view(storage) : frame.event;
  return endpoint == Endpoint::kMessages ? read_messages_frame(root, type, usage)
                                         : read_responses_frame(root, type, usage);
}

void read_answer(std::string_view body, Usage& usage) {
  const auto document = json::Document::parse(find_usage(body));
  if (document) read_usage(document->root(), usage);
}

bool has_end_mark(Endpoint endpoint) {
  return endpoint == Endpoint::kChatCompletions || endpoint == Endpoint::kCompletions ||
         endpoint == Endpoint::kResponses || endpoint == Endpoint::kMessages;
}

}  // namespace signalbox::response
