// Loading: YAML of any published generation, or of our own, into one validated Config. Every problem of the file is
// reported at once, each with its line and a remedy.
//
// Shapes that load:
//  - canonical v0.3: version, listeners, providers, routing, entrypoints, recipes, global;
//  - the flat signal/decision generation: decisions[], categories[], keyword_rules[], model_config{} at the top;
//  - the per-category generation: categories[] with model_scores[] and prompts;
//  - any of them inside Helm values, under the top-level key `config`;
//  - only our own block, `signalbox`, which may also stand in, or beside, each of the above.
// The older generations are rewritten to the canonical tree first (legacy/), so that there is one table of keys; paths in
// findings are those of the file as written. Values may hold ${VAR} and ${VAR:-default}.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/finding.h"
#include "config/model.h"
#include "config/tables/reader.h"

namespace signalbox::config {

struct Loaded {
  std::shared_ptr<const Config> config;  // never null
  std::vector<Finding> findings;         // notes and warnings, in file order
};

// The same with errors among the findings; config is null when there is one. For tools that print all of them.
struct LoadReport {
  std::shared_ptr<const Config> config;
  std::vector<Finding> findings;
};

struct LoadOptions {
  Environment environment;  // empty: the process environment
};

// `file_name` is used in messages only.
LoadReport load_report(std::string_view text, const std::string& file_name,
                       const LoadOptions& options = {});

// Errors: kConfig; the message lists the problems, one a line, "file:line: key: what is wrong; remedy".
Result<Loaded> load_text(std::string_view text, const std::string& file_name,
                         const LoadOptions& options = {});
// Errors: kIo, kPayloadTooLarge (limits::kConfigBytesMax), kConfig as above.
Result<Loaded> load_file(const std::string& path, const LoadOptions& options = {});

std::string_view generation_words(Generation generation);

}  // namespace signalbox::config
