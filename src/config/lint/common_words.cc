#include <algorithm>
#include <array>

#include "config/lint/lint.h"

namespace signalbox::config::lint {
namespace {

// Function words and the commonest verbs, nouns and adverbs of English; sorted.
constexpr auto kCommonWords = std::to_array<std::string_view>({
    "a",         "able",      "about",      "above",       "accept",    "across",      "act",
    "action",    "actually",  "add",        "after",       "again",     "against",     "age",
    "ago",       "agree",     "all",        "allow",       "almost",    "alone",       "along",
    "already",   "also",      "although",   "always",      "among",     "an",          "and",
    "another",   "answer",    "any",        "anyone",      "anything",  "apart",       "appear",
    "apply",     "are",       "area",       "around",      "as",        "ask",         "at",
    "away",      "back",      "bad",        "be",          "because",   "become",      "been",
    "before",    "begin",     "behind",     "being",       "believe",   "below",       "best",
    "better",    "between",   "big",        "both",        "bring",     "build",       "but",
    "buy",       "by",        "call",       "came",        "can",       "care",        "careful",
    "carefully", "carry",     "case",       "cause",       "certain",   "certainly",   "change",
    "check",     "child",     "choose",     "clear",       "clearly",   "close",       "come",
    "common",    "compare",   "complete",   "consider",    "continue",  "could",       "country",
    "course",    "cover",     "create",     "current",     "cut",       "data",        "day",
    "deal",      "decide",    "deep",       "describe",    "detail",    "develop",     "did",
    "different", "difficult", "do",         "does",        "doing",     "done",        "down",
    "during",    "each",      "early",      "easy",        "either",    "else",        "end",
    "enough",    "even",      "event",      "ever",        "every",     "everyone",    "everything",
    "exactly",   "example",   "expect",     "explain",     "fact",      "fall",        "far",
    "fast",      "feel",      "few",        "figure",      "fill",      "find",        "fine",
    "first",     "five",      "follow",     "food",        "for",       "form",        "found",
    "four",      "free",      "friend",     "from",        "full",      "further",     "future",
    "game",      "gave",      "general",    "get",         "girl",      "give",        "go",
    "going",     "gone",      "good",       "got",         "great",     "group",       "grow",
    "had",       "half",      "hand",       "happen",      "hard",      "has",         "have",
    "having",    "he",        "hear",       "help",        "her",       "here",        "high",
    "him",       "his",       "hold",       "home",        "hope",      "hour",        "house",
    "how",       "however",   "idea",       "if",          "immediate", "immediately", "important",
    "in",        "include",   "indeed",     "information", "inside",    "instead",     "interest",
    "into",      "is",        "issue",      "it",          "its",       "itself",      "just",
    "keep",      "kind",      "know",       "known",       "large",     "last",        "late",
    "later",     "lead",      "learn",      "least",       "leave",     "left",        "less",
    "let",       "level",     "life",       "light",       "like",      "likely",      "line",
    "list",      "little",    "live",       "local",       "long",      "look",        "lose",
    "lot",       "low",       "made",       "main",        "make",      "man",         "many",
    "matter",    "may",       "maybe",      "me",          "mean",      "meet",        "might",
    "mind",      "minute",    "miss",       "moment",      "money",     "month",       "more",
    "morning",   "most",      "move",       "much",        "must",      "my",          "name",
    "near",      "necessary", "need",       "never",       "new",       "news",        "next",
    "nice",      "night",     "no",         "none",        "nor",       "normal",      "not",
    "note",      "nothing",   "now",        "number",      "of",        "off",         "offer",
    "often",     "old",       "on",         "once",        "one",       "only",        "open",
    "or",        "order",     "other",      "our",         "out",       "over",        "own",
    "page",      "part",      "particular", "pass",        "past",      "pay",         "people",
    "perhaps",   "person",    "pick",       "place",       "plan",      "play",        "please",
    "point",     "possible",  "power",      "present",     "pretty",    "probably",    "problem",
    "process",   "provide",   "public",     "put",         "question",  "quick",       "quickly",
    "quite",     "rather",    "read",       "ready",       "real",      "really",      "reason",
    "receive",   "recent",    "remember",   "reply",       "report",    "rest",        "result",
    "return",    "right",     "room",       "run",         "said",      "same",        "save",
    "saw",       "say",       "school",     "second",      "see",       "seem",        "seen",
    "sell",      "send",      "sense",      "set",         "several",   "shall",       "she",
    "short",     "should",    "show",       "side",        "simple",    "simply",      "since",
    "sit",       "situation", "size",       "small",       "so",        "some",        "someone",
    "something", "sometimes", "soon",       "sort",        "sound",     "speak",       "special",
    "stand",     "start",     "state",      "step",        "still",     "stop",        "story",
    "strong",    "such",      "suggest",    "sure",        "system",    "take",        "talk",
    "tell",      "ten",       "term",       "test",        "text",      "than",        "thank",
    "thanks",    "that",      "the",        "their",       "them",      "then",        "there",
    "these",     "they",      "thing",      "things",      "think",     "this",        "those",
    "though",    "thought",   "three",      "through",     "time",      "to",          "today",
    "together",  "told",      "too",        "took",        "top",       "topic",       "total",
    "toward",    "try",       "turn",       "two",         "type",      "under",       "understand",
    "until",     "up",        "upon",       "us",          "use",       "used",        "useful",
    "user",      "using",     "usual",      "value",       "very",      "view",        "wait",
    "walk",      "want",      "was",        "way",         "we",        "week",        "well",
    "went",      "were",      "what",       "when",        "where",     "whether",     "which",
    "while",     "who",       "whole",      "whose",       "why",       "will",        "wish",
    "with",      "within",    "without",    "woman",       "word",      "work",        "world",
    "would",     "write",     "wrong",      "year",        "yes",       "yet",         "you",
    "young",     "your",
});
static_assert(std::ranges::is_sorted(kCommonWords));

}  // namespace

bool is_common_word(std::string_view word) {
  return std::ranges::binary_search(kCommonWords, word);
}

}  // namespace signalbox::config::lint
