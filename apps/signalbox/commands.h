// The subcommands of the program, one file each. A command gets the arguments after its name and returns the exit status:
// 0 success, 1 the answer is "no" (findings, failed checks), 2 wrong usage or nothing could be done.
#pragma once

#include <span>
#include <string_view>

namespace signalbox::cli {

using Arguments = std::span<const std::string_view>;

int serve_command(Arguments arguments);
int router_command(Arguments arguments);
int sim_command(Arguments arguments);
int check_command(Arguments arguments);
int config_command(Arguments arguments);
int emit_command(Arguments arguments);
int explain_command(Arguments arguments);
int classify_command(Arguments arguments);
int eval_command(Arguments arguments);
int calibrate_command(Arguments arguments);

}  // namespace signalbox::cli
