// The two flat generations as a canonical tree. Most keys only move (a table says where); model_config and
// vllm_endpoints become providers.models and routing.modelCards; categories of the per-category generation become domain
// signals and decisions (categories.h).
#pragma once

#include <string>
#include <string_view>

#include "config/model.h"
#include "config/tables/reader.h"
#include "config/yaml/tree.h"

namespace signalbox::config {

// Whether a top-level key belongs to the flat generations.
bool is_flat_key(std::string_view key);
// Where the key lives in v0.3: "routing.decisions".
std::string_view canonical_place(std::string_view key);

// Keys that nobody knows become errors; keys without a counterpart today become notes.
Node flat_to_canonical(Node body, Generation generation, Reader& reader);

// The node at a dotted path; what is not there is made, with that line and key path as written.
Node& at_path(Node& tree, std::string_view path, Mark mark = {}, std::string_view origin = {});

}  // namespace signalbox::config
