// A tree as YAML text in block style.
#pragma once

#include <string>

#include "config/yaml/tree.h"

namespace signalbox::config {

// Parsing the result gives an equal tree, marks and quoting style aside: what would read as another type is quoted. Null
// values of maps are left out; comments and anchors are not kept. O(bytes).
std::string emit_yaml(const Node& node);

// Whether two trees hold the same, marks, origins and quoting aside.
bool same_content(const Node& a, const Node& b);

}  // namespace signalbox::config
