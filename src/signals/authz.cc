#include "signals/authz.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace signalbox::signals {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void RoleBindings::grant(const std::string& name, const config::RoleBinding& binding) {
  if (name.empty()) return;
  auto at = std::find_if(roles_.begin(), roles_.end(),
                         [&name](const Role& role) { return role.name == name; });
  if (at == roles_.end()) at = roles_.insert(roles_.end(), Role{.name = name});
  for (const config::Subject& subject : binding.subjects) {
    auto& names = equal_ignore_case(subject.kind, "user") ? at->users : at->groups;
    if (!contains(names, subject.name)) names.push_back(subject.name);
  }
}

Result<RoleBindings> RoleBindings::compile(std::span<const config::RoleBinding> bindings) {
  RoleBindings made;
  for (const config::RoleBinding& binding : bindings) {
    for (const config::Subject& subject : binding.subjects) {
      if (equal_ignore_case(subject.kind, "user") || equal_ignore_case(subject.kind, "group"))
        continue;
      return fail(Code::kConfig,
                  fmt::format("role binding '{}': subject kind '{}' is neither User nor Group",
                              binding.name, subject.kind));
    }
    made.grant(binding.role, binding);
    if (binding.name != binding.role) made.grant(binding.name, binding);
  }
  return made;
}

std::optional<std::uint32_t> RoleBindings::find(std::string_view name) const {
  for (std::uint32_t i = 0; i < roles_.size(); ++i) {
    if (roles_[i].name == name) return i;
  }
  return std::nullopt;
}

exchange::SignalValue RoleBindings::evaluate(std::uint32_t rule, const Inputs& inputs) const {
  const Role& role = roles_[rule];
  const exchange::Identity& identity = inputs.identity;
  if (!identity.user.empty() && contains(role.users, identity.user)) return matched(true);
  return matched(std::any_of(identity.groups.begin(), identity.groups.end(),
                             [&role](const std::string& group) {
                               return !group.empty() && contains(role.groups, group);
                             }));
}

}  // namespace signalbox::signals
