#include "plugins/plugins.h"

#include "plugins/fast_response.h"
#include "plugins/header_mutation.h"
#include "plugins/request_params.h"
#include "plugins/system_prompt.h"

namespace signalbox::plugins {

Result<exchange::Edits> apply_plugins(const config::Plugins& plugins,
                                      const exchange::Request& request,
                                      const exchange::ClientRequest& client) {
  exchange::Edits edits;
  // First: with an answer of our own nothing goes upstream, so nothing else needs doing.
  if (plugins.fast_response && answer_at_once(*plugins.fast_response, request, edits)) return edits;
  // Before the prompt: what is policed is what the client sent, never what we add.
  if (plugins.request_params) SBX_CHECK_OK(limit_params(*plugins.request_params, request, edits));
  // After the policing, so that a blocked field cannot take our own prompt with it.
  if (plugins.system_prompt)
    SBX_CHECK_OK(add_system_prompt(*plugins.system_prompt, request, edits));
  // Last because it reads nothing of the others; the operator's headers win over the client's.
  if (plugins.header_mutation)
    SBX_CHECK_OK(mutate_headers(*plugins.header_mutation, client, edits));
  return edits;
}

}  // namespace signalbox::plugins
