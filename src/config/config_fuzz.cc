// Any bytes as a configuration file: loading ends with a Config or with errors that say where, the linter and the
// migration work on whatever loads, and what the migration prints loads again.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "config/check.h"
#include "config/load.h"
#include "config/migrate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using signalbox::config::load_report;
  using signalbox::config::LoadOptions;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadOptions options{
      .environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "SET") return "value";
        return std::nullopt;
      }};
  const auto report = load_report(text, "fuzz.yaml", options);
  SBX_ASSERT((report.config != nullptr) != signalbox::config::any_error(report.findings));
  for (const auto& finding : report.findings) SBX_ASSERT(!finding.message.empty());
  if (report.config == nullptr) return 0;
  (void)signalbox::config::check(*report.config);
  const auto migrated = signalbox::config::migrate(text, "fuzz.yaml", options);
  SBX_ASSERT(load_report(migrated.yaml, "migrated.yaml", options).config != nullptr);
  return 0;
}
