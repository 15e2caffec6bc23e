// What an engine's answer says about itself, frame by frame or as one JSON document: whether it carries output, token
// counts, the end. One place for the four API shapes; everything it does not know is passed over.
//   chat, completions   data: {"choices":[{"delta":...}],"usage":{...}|null}, then data: [DONE]
//   responses           events named response.*; response.completed holds the usage
//   messages            message_start (input tokens), content_block_delta, message_delta (output tokens), message_stop
// Sources: OpenAI API reference (chat and responses streaming events), Anthropic API reference (streaming messages).
#pragma once

#include <string_view>

#include "exchange/exchange.h"
#include "http/sse.h"

namespace signalbox::response {

struct FrameFacts {
  bool output = false;  // text, reasoning or tool-call arguments from the model
  bool usage_only =
      false;  // the chunk that stream_options.include_usage adds: usage and an empty list of choices
  bool end = false;  // the engine's own end mark: nothing follows
};

// Facts of one frame; token counts go into `usage` as they appear. One JSON pass over the data.
FrameFacts read_frame(exchange::Endpoint endpoint, const http::SseFrame& frame,
                      exchange::Usage& usage);

// Token counts of a complete JSON answer. Not JSON, or without usage: nothing changes.
void read_answer(std::string_view body, exchange::Usage& usage);

// True if answers of this endpoint carry an end mark when they are streamed.
bool has_end_mark(exchange::Endpoint endpoint);

}  // namespace signalbox::response
