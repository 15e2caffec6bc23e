// The plugin stage: edits of the request that do not depend on which model or replica is chosen, as a patch beside the
// untouched body, and edits of the headers that go upstream; or an answer of our own.
#pragma once

#include "base/error.h"
#include "config/model.h"
#include "exchange/exchange.h"

namespace signalbox::plugins {

// Runs the plugins of the winning decision in the fixed order of plugins.cc. Bodies that are not JSON objects only get
// header edits. Errors: kInvalidArgument when the body holds an edited key twice, kConfig for a header that no plugin may
// touch.
Result<exchange::Edits> apply_plugins(const config::Plugins& plugins,
                                      const exchange::Request& request,
                                      const exchange::ClientRequest& client);

}  // namespace signalbox::plugins
