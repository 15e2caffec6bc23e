#include "plugins/fast_response.h"

namespace signalbox::plugins {

bool answer_at_once(const config::FastResponsePlugin& plugin, const exchange::Request& request,
                    exchange::Edits& edits) {
  switch (request.endpoint) {
    case exchange::Endpoint::kChatCompletions:
    case exchange::Endpoint::kCompletions:
    case exchange::Endpoint::kResponses:
    case exchange::Endpoint::kMessages:
      edits.fast_response = plugin.message;
      return true;
    default:
      return false;
  }
}

}  // namespace signalbox::plugins
