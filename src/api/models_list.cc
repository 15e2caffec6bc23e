#include "api/models_list.h"

#include "json/writer.h"

namespace signalbox::api {
namespace {

void append_entry(json::Writer& writer, const ListedModel& model, std::int64_t created) {
  if (!model.card.empty()) {
    writer.raw(model.card);
    return;
  }
  writer.begin_object().key("id").string(model.id).key("object").string("model");
  writer.key("created").integer(created).key("owned_by").string(model.owned_by);
  if (!model.root.empty()) writer.key("root").string(model.root);
  if (!model.parent.empty()) writer.key("parent").string(model.parent);
  writer.end_object();
}

}  // namespace

std::string models_list(std::span<const ListedModel> models, std::int64_t created) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().key("object").string("list").key("data").begin_array();
  for (const ListedModel& model : models) append_entry(writer, model, created);
  writer.end_array().end_object();
  return body;
}

std::string model_entry(const ListedModel& model, std::int64_t created) {
  std::string body;
  json::Writer writer(body);
  append_entry(writer, model, created);
  return body;
}

}  // namespace signalbox::api
