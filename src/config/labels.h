// The labels that classifiers know, in alphabetical order.
#pragma once

#include <array>
#include <string_view>

namespace signalbox::config {

// The fourteen subjects of MMLU-Pro; published configurations use these names for their categories.
inline constexpr std::array<std::string_view, 14> kDomainLabels = {
    "biology",   "business",    "chemistry", "computer science",
    "economics", "engineering", "health",    "history",
    "law",       "math",        "other",     "philosophy",
    "physics",   "psychology"};

// What rule leaves of type task_kind may be called: the labels of that classifier.
inline constexpr std::array<std::string_view, 8> kTaskKinds = {
    "code",  "creative_writing", "extraction",  "general_knowledge",
    "maths", "small_talk",       "summarising", "translation"};

bool is_domain_label(std::string_view name);

}  // namespace signalbox::config
