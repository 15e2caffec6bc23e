#include "sim/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "json/splice.h"

namespace signalbox::sim {
namespace {

constexpr std::size_t kSystemPromptBytes = 60;  // of it are shown
constexpr std::size_t kToolCallTokens = 8;
constexpr std::string_view kFiller = " simulated";

struct Canned {
  std::array<std::string_view, 2> words;  // both must occur, lower case
  std::string_view answer;
};

// One question per domain that the documentation uses as an example. Anything else gets no answer to its question, and
// the text says so.
constexpr std::array kCanned = {
    Canned{{"derivative", "x^3"},
           "By the power rule, the derivative of f(x) = x^3 is f'(x) = 3x^2."},
    Canned{{"derivative", "x\u00b3"},
           "By the power rule, the derivative of f(x) = x\u00b3 is f'(x) = 3x^2."},
    Canned{{"integral", "x^2"}, "The antiderivative of x^2 is x^3/3 + C."},
    Canned{{"mitochondri", ""},
           "Mitochondria make most of a cell's ATP by oxidative phosphorylation."},
    Canned{{"photosynthesis", ""},
           "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen."},
    Canned{{"ph of", ""}, "pH is the negative decimal logarithm of the hydrogen ion activity."},
    Canned{{"newton", "law"}, "Newton's second law: force equals mass times acceleration, F = ma."},
    Canned{{"binary search", ""},
           "Binary search halves a sorted range at each step and takes O(log n) time."},
    Canned{{"inflation", ""}, "Inflation is a sustained rise of the general price level."},
    Canned{{"french revolution", ""}, "The French Revolution began in 1789."},
    Canned{{"contract", "consideration"},
           "In common law a contract needs offer, acceptance and consideration."},
    Canned{{"categorical imperative", ""},
           "Act only on a maxim that you could will to be a universal law (Kant)."},
    Canned{{"classical conditioning", ""},
           "Classical conditioning pairs a neutral stimulus with one that has an effect."},
    Canned{{"vitamin c", ""},
           "Vitamin C is needed to build collagen; a lack of it leads to scurvy."},
    Canned{{"swot", ""}, "SWOT lists strengths, weaknesses, opportunities and threats."},
    Canned{{"beam", "bending"}, "The bending stress of a beam is M y / I."},
};

std::vector<std::string> cut_at_spaces(std::string_view text) {
  std::vector<std::string> pieces;
  std::size_t begin = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == ' ' && text[i - 1] != ' ') {
      pieces.emplace_back(text.substr(begin, i - begin));
      begin = i;
    }
  }
  if (begin < text.size()) pieces.emplace_back(text.substr(begin));
  return pieces;
}

// At most `bytes` bytes, ending with a whole character and without line breaks.
std::string beginning_of(std::string_view text, std::size_t bytes) {
  std::size_t size = std::min(text.size(), bytes);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
    --size;
  std::string out(text.substr(0, size));
  std::ranges::replace(out, '\n', ' ');
  if (size < text.size()) out += "...";
  return out;
}

std::string answer_text(const Ask& ask, const AnswerOptions& options) {
  std::string out = fmt::format("[simulated answer of {} '{}' on demo engine '{}', reasoning {}",
                                options.is_adapter ? "adapter" : "model", ask.model, options.engine,
                                ask.reasoning ? "on" : "off");
  if (ask.reasoning && !ask.reasoning_effort.empty())
    out += fmt::format(" ({})", ask.reasoning_effort);
  if (ask.system.empty()) {
    out += ", no system prompt]";
  } else {
    out += fmt::format(", system prompt \"{}\"]", beginning_of(ask.system, kSystemPromptBytes));
  }
  const auto canned = find_canned_answer(ask.user);
  out += ' ';
  out += canned.empty() ? "No model is behind this engine, so it cannot answer the question itself."
                        : canned;
  return out;
}

void pad(std::vector<std::string>& pieces, std::size_t wanted) {
  if (pieces.size() < wanted) pieces.resize(wanted, std::string(kFiller));
}

// Takes tokens from the end until `tokens_max` are left.
void cut(Answer& answer, std::size_t tokens_max) {
  if (tokens_max == 0 || answer.completion_tokens() <= tokens_max) return;
  answer.cut = true;
  answer.reasoning.resize(std::min(answer.reasoning.size(), tokens_max));
  answer.text.resize(std::min(answer.text.size(), tokens_max - answer.reasoning.size()));
}

std::string join(const std::vector<std::string>& pieces) {
  std::string out;
  for (const auto& piece : pieces) out += piece;
  return out;
}

}  // namespace

std::size_t Answer::completion_tokens() const {
  return reasoning.size() + text.size() + (tool.empty() ? 0 : kToolCallTokens);
}

std::string Answer::whole_text() const { return join(text); }
std::string Answer::whole_reasoning() const { return join(reasoning); }

std::string_view find_canned_answer(std::string_view question) {
  const std::string lower = to_lower(question);
  for (const Canned& canned : kCanned) {
    const bool all = std::ranges::all_of(
        canned.words, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
    if (all) return canned.answer;
  }
  return {};
}

Answer make_answer(const Ask& ask, const AnswerOptions& options) {
  Answer answer;
  if (ask.reasoning) answer.reasoning = cut_at_spaces("Simulated reasoning: no thoughts were had.");
  if (!ask.tool.empty()) {
    answer.tool = ask.tool;
    answer.tool_arguments =
        "{\"simulated\":true,\"query\":" + json::quote(beginning_of(ask.user, kSystemPromptBytes)) +
        "}";
  } else {
    answer.text = cut_at_spaces(answer_text(ask, options));
  }
  if (options.tokens > 0 && answer.tool.empty()) {
    pad(answer.text, options.tokens - std::min(options.tokens, answer.reasoning.size()));
    cut(answer, options.tokens);
    answer.cut = false;
  }
  if (answer.tool.empty()) cut(answer, ask.tokens_max);
  return answer;
}

}  // namespace signalbox::sim
