// The root of the canonical document, with routing, recipes and entrypoints.
#include "config/tables/bind.h"
#include "config/tables/document.h"
#include "config/tables/tables.h"

namespace signalbox::config {
namespace {

const Schema& listener_schema() {
  using L = Listener;
  static const Schema schema{
      .name = "listeners[]",
      .fields = {row<&L::name>("name", "For the reader."),
                 row<&L::address>("address", "Address to listen on.").restart(),
                 row<&L::port>("port", "TCP port.").range(1, 65535).restart(),
                 row<&L::timeout>("timeout", "Longest time of a request.").range(0, 86400)}};
  return schema;
}

const Schema& routing_schema() {
  using R = RoutingDocument;
  static const Schema schema{
      .name = "routing",
      .fields = {list<&R::cards>("modelCards", model_card_schema,
                                 "What models can do, and their adapters."),
                 into<&R::routing>(
                     child<&Routing::signals>("signals", signals_schema, "What is looked at.")),
                 into<&R::routing>(
                     list<&Routing::decisions>("decisions", decision_schema, "What is decided.")),
                 row<&R::strategy>("strategy", "How one of several matching decisions is chosen."),
                 known_struct(
                     "projections", [] -> const Schema& { return known_schema("Projections"); },
                     "Signals made of signals.")
                     .later("projections")}};
  return schema;
}

const Schema& entrypoint_schema() {
  using E = Entrypoint;
  static const Schema schema{
      .name = "entrypoints[]",
      .fields = {
          row<&E::model_names>("model_names", "Model names that clients ask for.").required(),
          row<&E::recipe>("recipe", "Recipe that routes them; default is the file's own routing.")
              .required()}};
  return schema;
}

const Schema& recipe_schema() {
  using R = RecipeDocument;
  static const Schema schema{
      .name = "recipes[]",
      .fields = {row<&R::name>("name", "Name used by entrypoints.").required(),
                 row<&R::description>("description", "For the reader."),
                 child<&R::routing>("routing", routing_schema, "A whole routing of its own.")}};
  return schema;
}

}  // namespace

const Schema& document_schema() {
  using D = Document;
  static const Schema schema{
      .name = "document",
      .fields = {
          row<&D::version>("version", "Version of the form; v0.3.").one_of({"v0.3"}),
          list<&D::listeners>(
              "listeners", listener_schema,
              "Where v0.3 listens; the first one sets signalbox.http when that is absent."),
          child<&D::providers>("providers", providers_schema, "Models and where they are served."),
          child<&D::routing>("routing", routing_schema, "Signals and decisions."),
          list<&D::entrypoints>("entrypoints", entrypoint_schema,
                                "Model names with a routing of their own."),
          list<&D::recipes>("recipes", recipe_schema, "Further routings."),
          child<&D::global>("global", global_schema, "What holds for the whole router."),
          child<&D::own>("signalbox", own_schema, "Options of Signalbox itself.")}};
  return schema;
}

}  // namespace signalbox::config
