// What our trained heads can be asked, and how a caller names a set of questions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace signalbox::encoder {

// One head each, in the folder of models/ that task_name() gives.
enum class Task : std::uint8_t {
  kDomain,      // one of domain_labels()
  kJailbreak,   // does the user try to talk the model out of its rules?
  kInjection,   // does a document or tool result give the model orders?
  kComplexity,  // easy, medium, hard
  kFactCheck,   // would a wrong answer be a wrong fact?
  kFeedback,    // is this a reaction to the last answer, and which?
  kTaskKind,    // code, creative writing, maths, ...
};
inline constexpr std::size_t kTaskCount = 7;
inline constexpr std::array<Task, kTaskCount> kTasks{
    Task::kDomain,    Task::kJailbreak, Task::kInjection, Task::kComplexity,
    Task::kFactCheck, Task::kFeedback,  Task::kTaskKind};

// "domain", "jailbreak", "injection", "complexity", "fact_check", "feedback", "task_kind".
std::string_view task_name(Task task);
std::optional<Task> task_named(std::string_view name);

// A set of things a caller wants to know; combine with |. What nobody asks for costs nothing.
enum class Demand : std::uint16_t {
  kNone = 0,
  kEmbedding = 1U << 0U,
  kPii = 1U << 1U,  // spans of personal data, by the token head
  kDomain = 1U << 2U,
};
constexpr Demand demand_of(Task task) {
  return static_cast<Demand>(1U << (2U + static_cast<unsigned>(task)));
}
constexpr Demand operator|(Demand a, Demand b) {
  return static_cast<Demand>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Demand& operator|=(Demand& a, Demand b) { return a = a | b; }
constexpr bool demands(Demand set, Demand one) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(one)) != 0;
}
constexpr bool demands(Demand set, Task one) { return demands(set, demand_of(one)); }
static_assert(demand_of(Task::kDomain) == Demand::kDomain);

// The 14 labels of the domain task, in the order of its probabilities. Rules and keyword lists are
// made of them, so a domain head with other labels is refused.
std::span<const std::string_view> domain_label_names();

}  // namespace signalbox::encoder
