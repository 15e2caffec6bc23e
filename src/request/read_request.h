// The request stage: one validating pass over the body into views and offsets. What this stage cannot read it leaves
// alone, but what it reads it reads as the engine will: keys unescaped, no key twice in any object it looks into (the
// body, each message and content part, stream_options, chat_template_kwargs, reasoning, metadata), types as documented.
#pragma once

#include "base/error.h"
#include "exchange/exchange.h"
#include "request/endpoint.h"

namespace signalbox::request {

// `client.body` must stay where it is for as long as the result lives: the document, messages and user_text point into
// it. Forms (audio, files, image edits) give a Request without a document, with the model their field `model` names; other
// bodies that are not JSON give one without either.
// Errors: kInvalidArgument with `param` naming the field. O(body), allocates only for escaped or joined texts.
Result<exchange::Request> read_request(const exchange::ClientRequest& client);

}  // namespace signalbox::request
