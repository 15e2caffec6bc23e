// The labels that the domain classifier knows, in alphabetical order.
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

bool is_domain_label(std::string_view name);

}  // namespace signalbox::config
