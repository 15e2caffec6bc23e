// Signal "authz": does the identity hold a role? A leaf names a role or a binding; a role is held when any binding that
// grants it lists the user or one of the groups. Identity is what trusted peers vouched for; nobody else holds a role.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/model.h"
#include "signals/inputs.h"

namespace signalbox::signals {

class RoleBindings {
 public:
  RoleBindings() = default;
  // Errors: kConfig naming the binding (a subject that is neither User nor Group).
  static Result<RoleBindings> compile(std::span<const config::RoleBinding> bindings);
  // Number of the role or binding of that name, to be used as rule index; nothing when there is none.
  std::optional<std::uint32_t> find(std::string_view name) const;
  exchange::SignalValue evaluate(std::uint32_t rule, const Inputs& inputs) const;

 private:
  struct Role {
    std::string name;
    std::vector<std::string> users;
    std::vector<std::string> groups;
  };
  void grant(const std::string& name, const config::RoleBinding& binding);
  std::vector<Role> roles_;
};

}  // namespace signalbox::signals
