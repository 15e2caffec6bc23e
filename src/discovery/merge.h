// What sources found and engines said, put into the configuration: from there on a model that was found is like one that
// was written down.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "config/model.h"
#include "discovery/discovery.h"
#include "discovery/endpoint_table.h"

namespace signalbox::discovery {

// Names of models that were served once: a request for one of them finds no engine (503) instead of being unknown (404).
using SeenModels = std::set<std::string, std::less<>>;

// `base` with
//   - each placement under the model it names, or under every model that its engine lists;
//   - adapters that engines list and the file does not name, under their base model where that is served;
//   - models of `seen` that nobody serves now, without backends.
// `set` says what engines serve (of any earlier set of the same table). Names found are added to `seen`, up to
// limits::kServedModelsMax. Returns `base` itself when there is nothing to add. O(placements * models).
std::shared_ptr<const config::Config> merge_engines(std::shared_ptr<const config::Config> base,
                                                    std::span<const Placement> placements,
                                                    const EndpointSet& set, SeenModels& seen);

}  // namespace signalbox::discovery
