// The answer of the prefill half of a disaggregated request: read whole, and what the decode half needs of it.
#pragma once

#include <string>

#include "base/error.h"
#include "net/task.h"
#include "upstream/attempts.h"

namespace signalbox::upstream {

// kv_transfer_params of the answer as JSON, for Sending::kv_transfer_params; empty where the answer has none. An engine
// that does not know its own address (`remote_host` absent, null, or a name of the machine itself) is given the host under
// which we reached it, unless that is this machine too. Pure.
// Errors: kUpstreamProtocol when the answer is no JSON object.
Result<std::string> kv_transfer_params_of(std::string_view answer, const std::string& host);

// Reads the body of a response that send() brought. Its connection goes back to the pool.
// Errors: kUpstreamProtocol (over kPrefillAnswerBytesMax, malformed), those of reading, kUnavailable for a status of 400
// or more, with the status in the message.
net::Task<Result<std::string>> prefill_answer(Live* live, const Clock* clock, Deadline deadline);

}  // namespace signalbox::upstream
