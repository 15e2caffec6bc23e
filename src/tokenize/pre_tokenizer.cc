#include "tokenize/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/limits.h"

namespace signalbox::tokenize {

void PreTokenizer::split(const Step& step, const TracedText& text, const Range& range,
                         std::vector<Range>& out) {
  auto parts = step.pattern.split(
      std::string_view(text.text()).substr(range.begin, range.end - range.begin));
  const std::size_t before = out.size();
  bool previous = false;  // was the part before a match?
  if (step.behaviour == Behaviour::kMergedWithNext) std::ranges::reverse(parts);
  for (Pattern::Part& part : parts) {
    const bool matched = part.matched != step.invert;
    const Range piece{range.begin + part.begin, range.begin + part.end};
    const bool any = out.size() > before;
    switch (step.behaviour) {
      case Behaviour::kRemoved:
        if (!matched) out.push_back(piece);
        break;
      case Behaviour::kIsolated:
        out.push_back(piece);
        break;
      case Behaviour::kContiguous:
        if (any && matched == previous) {
          out.back().end = piece.end;
        } else {
          out.push_back(piece);
        }
        break;
      case Behaviour::kMergedWithPrevious:
        if (any && matched && !previous) {
          out.back().end = piece.end;
        } else {
          out.push_back(piece);
        }
        break;
      case Behaviour::kMergedWithNext:
        if (any && matched && !previous) {
          out.back().begin = piece.begin;
        } else {
          out.push_back(piece);
        }
        break;
    }
    previous = matched;
  }
  if (step.behaviour == Behaviour::kMergedWithNext)
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
}

// Spaces become the mark and parts get one in front (Metaspace), or parts get a space in front.
void PreTokenizer::prefix(const Step& step, TracedText& text, bool first,
                          std::vector<Range>& ranges) {
  const std::string_view from = text.text();
  const bool metaspace = step.kind == Kind::kMetaspace;
  const std::string_view mark = metaspace ? std::string_view(step.mark) : std::string_view(" ");
  TracedText changed(text.traced());
  for (Range& range : ranges) {
    const std::size_t begin = changed.text().size();
    const std::string_view part = from.substr(range.begin, range.end - range.begin);
    const bool marked = part.starts_with(mark) || (metaspace && part.starts_with(' '));
    const bool wanted = step.scheme == Scheme::kAlways ||
                        (step.scheme == Scheme::kFirst && first && range.begin == 0);
    if (wanted && !marked) {
      const Origin origin = text.traced() ? text.origin(range.begin, range.begin + 1) : Origin{};
      changed.append(mark, {origin.begin, origin.begin});
    }
    for (std::size_t at = range.begin; at < range.end;) {
      if (metaspace && from[at] == ' ') {
        changed.append(mark, text.traced() ? text.origin(at, at + 1) : Origin{});
        ++at;
        continue;
      }
      const std::size_t end = metaspace ? std::min(from.find(' ', at), range.end) : range.end;
      changed.append(text, at, end);
      at = end;
    }
    range = {begin, changed.text().size()};
  }
  text = std::move(changed);
}

std::vector<Range> PreTokenizer::apply(TracedText& text, bool first) const {
  std::vector<Range> ranges;
  if (!text.text().empty()) ranges.push_back({0, text.text().size()});
  for (const Step& step : steps_) {
    if (step.kind != Kind::kSplit) {
      prefix(step, text, first, ranges);
      continue;
    }
    std::vector<Range> finer;
    for (const Range& range : ranges) split(step, text, range, finer);
    ranges = std::move(finer);
  }
  return ranges;
}

}  // namespace signalbox::tokenize
