#include "encoder/hub/entity_merge.h"

#include <algorithm>
#include <optional>

namespace signalbox::encoder {
namespace {

struct Parsed {
  std::string_view type;  // empty: no entity
  bool begins = false;
};

Parsed parse(std::string_view label) {
  if (label == "O" || label == "NO_PII" || label == "LABEL_0") return {};
  if (label.starts_with("B-")) return {label.substr(2), true};
  if (label.starts_with("I-") || label.starts_with("E-")) return {label.substr(2), false};
  return {label, false};
}

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// An entity that is being put together.
struct Open {
  std::string_view type;
  std::size_t begin = 0, end = 0;
  float sum = 0;
  int tokens = 0;
};

void close(std::string_view text, const std::optional<Open>& open, std::vector<Entity>& out) {
  if (!open) return;
  std::size_t begin = open->begin, end = std::min(open->end, text.size());
  while (begin < end && is_blank(text[begin])) ++begin;
  while (end > begin && is_blank(text[end - 1])) --end;
  if (begin == end) return;
  out.push_back(
      {std::string(open->type), begin, end, open->sum / static_cast<float>(open->tokens)});
}

}  // namespace

std::vector<Entity> merge_entities(std::string_view text, std::span<const tokenize::WordSpan> spans,
                                   std::span<const TokenLabel> tokens,
                                   std::span<const std::string> labels) {
  std::vector<Entity> entities;
  std::optional<Open> open;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& span = spans[i];
    if (span.begin >= span.end) {  // not looked at, or of no character
      close(text, open, entities);
      open.reset();
      continue;
    }
    // The pieces of a word that have its span (WordPiece) leave its label to the first of them.
    if (i > 0 && spans[i - 1] == span) continue;
    const Parsed parsed = parse(labels[static_cast<std::size_t>(tokens[i].label)]);
    // Other pieces of one word (BPE) touch one another without a space.
    const bool same_word = i > 0 && spans[i - 1].end == span.begin && !is_blank(text[span.begin]);
    const bool goes_on = open && parsed.type == open->type && (!parsed.begins || same_word);
    if (!goes_on) {
      close(text, open, entities);
      open.reset();
      if (parsed.type.empty()) continue;
      open = Open{parsed.type, span.begin, span.end, 0, 0};
    }
    open->end = std::max(open->end, span.end);
    open->sum += tokens[i].probability;
    open->tokens += 1;
  }
  close(text, open, entities);
  return entities;
}

}  // namespace signalbox::encoder
