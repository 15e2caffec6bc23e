#include "api/models_list.h"

#include "json/writer.h"

namespace signalbox::api {

std::string models_list(std::span<const ListedModel> models, std::int64_t created) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().key("object").string("list").key("data").begin_array();
  for (const ListedModel& model : models) {
    writer.begin_object().key("id").string(model.id).key("object").string("model");
    writer.key("created").integer(created).key("owned_by").string(model.owned_by);
    if (!model.root.empty()) writer.key("root").string(model.root);
    if (!model.parent.empty()) writer.key("parent").string(model.parent);
    writer.end_object();
  }
  writer.end_array().end_object();
  return body;
}

}  // namespace signalbox::api
