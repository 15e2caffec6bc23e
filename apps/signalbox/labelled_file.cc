#include "apps/signalbox/labelled_file.h"

#include "json/splice.h"

namespace signalbox::cli {

Result<std::string> need_string(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, object.find(key));
  if (!found || !found->is_string())
    return fail(Code::kInvalidArgument, fmt::format("no \"{}\"", key));
  return found->string();
}

std::string errors_json(const std::vector<LineError>& errors) {
  std::string out;
  for (const LineError& error : errors) {
    out += fmt::format(R"({}{{"line":{},"error":{}}})", out.empty() ? "" : ",", error.line,
                       json::quote(error.message));
  }
  return out;
}

}  // namespace signalbox::cli
