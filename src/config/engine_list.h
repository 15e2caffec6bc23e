// A file that lists engines, for routers whose engines come and go without an API that says so:
//
//   engines:
//     - url: http://10.0.0.1:8000
//       models: [base, other]   # served there; absent: the engine is asked
//       label: prefill
//       weight: 2
//       draining: true          # finishes what it has and gets nothing new
//
// JSON is read as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/model.h"

namespace signalbox::config {

struct ListedEngine {
  BackendRef backend;
  std::vector<std::string> models;
};

// Errors: kConfig with file, line, key and remedy; kPayloadTooLarge for more than limits::kDiscoveredEnginesMax engines.
Result<std::vector<ListedEngine>> read_engine_list(std::string_view text,
                                                   const std::string& file_name);

}  // namespace signalbox::config
