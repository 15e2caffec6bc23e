// The canonical document as it is written, before cards and providers of the same name become one Model. Lives only
// between reading and joining.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/model.h"

namespace signalbox::config {

struct RoutingDocument {
  Routing routing;
  std::optional<Strategy> strategy;  // when the file says; else global.router.strategy
  std::vector<Model> cards;          // only the card's members are set
};

struct RecipeDocument {
  std::string name;
  std::string description;
  RoutingDocument routing;
};

// What of `global` has an effect today.
struct GlobalDocument {
  std::string config_source = "file";
  std::optional<Strategy> strategy;
  std::string auto_model_name;
  std::vector<std::string> auto_model_names;
  bool include_config_models_in_list = false;
  bool clear_route_cache = true;
  bool skip_processing = false;
  double domain_threshold = 0;
  std::string domain_fallback_category;
  HubModels hub_models;
  std::string user_id_header;      // empty: not given
  std::string user_groups_header;  // empty: not given
  Tracing tracing;
};

struct Document {
  std::string version;
  std::vector<Listener> listeners;
  Providers providers;
  RoutingDocument routing;
  std::vector<Entrypoint> entrypoints;
  std::vector<RecipeDocument> recipes;
  GlobalDocument global;
  Own own;
};

}  // namespace signalbox::config
