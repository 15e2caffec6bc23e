#include "encoder/task.h"

#include <algorithm>

namespace signalbox::encoder {
namespace {

constexpr std::array<std::string_view, kTaskCount> kNames{
    "domain", "jailbreak", "injection", "complexity", "fact_check", "feedback", "task_kind"};

constexpr std::array<std::string_view, 14> kDomains{
    "business",  "law",  "psychology", "biology",          "chemistry",  "history",     "health",
    "economics", "math", "physics",    "computer science", "philosophy", "engineering", "other"};

}  // namespace

std::string_view task_name(Task task) { return kNames[static_cast<std::size_t>(task)]; }

std::optional<Task> task_named(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Task>(found - kNames.begin());
}

std::span<const std::string_view> domain_label_names() { return kDomains; }

}  // namespace signalbox::encoder
