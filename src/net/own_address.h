// Under which address this machine is seen.
#pragma once

#include <optional>
#include <string>

namespace signalbox::net {

// The address from which packets to that IP literal leave, if there is a way there. Sends nothing; a few system calls.
std::optional<std::string> own_address_towards(const std::string& ip);

}  // namespace signalbox::net
