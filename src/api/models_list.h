// Body of GET /v1/models. Source: OpenAI API reference, "List models"; root and parent as vLLM adds them for adapters.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace signalbox::api {

struct ListedModel {
  std::string id;
  std::string owned_by;
  std::string root;    // left out when empty
  std::string parent;  // base model of an adapter; left out when empty
  std::string card;    // not empty: the whole entry, as JSON
};

// {"object":"list","data":[...]}; `created` is Unix time in seconds and the same for all.
std::string models_list(std::span<const ListedModel> models, std::int64_t created);

// One entry of the list, alone: GET /v1/models/NAME.
std::string model_entry(const ListedModel& model, std::int64_t created);

}  // namespace signalbox::api
