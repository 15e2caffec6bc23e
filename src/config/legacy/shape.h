// What kind of file it is: Helm values or the configuration itself, and which generation.
#pragma once

#include "config/model.h"
#include "config/tables/reader.h"
#include "config/yaml/tree.h"

namespace signalbox::config {

struct Shape {
  Node tree;  // canonical v0.3, whatever the file was
  Generation generation = Generation::kCanonicalV03;
  bool helm = false;  // stood under a top-level `config:`
};

// Takes `config:` out of Helm values (other top-level keys of the chart are named in one note), tells the generation and
// rewrites the older ones. Problems go to the reader; the tree is then what could be made of it.
Shape to_canonical(Node root, Reader& reader);

}  // namespace signalbox::config
