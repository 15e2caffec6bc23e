// Between Envoy's protobuf messages and the plain ones of message.h. The only place besides the server that sees
// generated code.
#pragma once

#include <string>

#include "listener/extproc/message.h"

namespace envoy::service::ext_proc::v3 {
class ProcessingRequest;
class ProcessingResponse;
}  // namespace envoy::service::ext_proc::v3

namespace signalbox::listener {

// Takes the bodies out of `request`. Unknown kinds of message become kUnknown, never an error.
ProxyMessage read_message(envoy::service::ext_proc::v3::ProcessingRequest& request);

// Takes the bodies out of `answer`.
void write_answer(ProxyAnswer answer, envoy::service::ext_proc::v3::ProcessingResponse& response);

}  // namespace signalbox::listener
