#include "config/embedded_default.h"

namespace signalbox::config {
namespace {

constexpr std::string_view kYaml =
// A raw string literal written by cmake/EmbedText.cmake.
#include "config/embedded_default.inc"
    ;

}  // namespace

std::string_view embedded_default_yaml() { return kYaml; }

}  // namespace signalbox::config
