#include "pipeline/own_answer.h"

namespace signalbox::pipeline {

std::string own_answer(exchange::Endpoint endpoint, bool stream, const api::Answer& answer) {
  switch (endpoint) {
    case exchange::Endpoint::kCompletions:
      return stream ? api::text_completion_stream(answer) : api::text_completion(answer);
    case exchange::Endpoint::kResponses:
      return stream ? api::response_stream(answer) : api::response_object(answer);
    case exchange::Endpoint::kMessages:
      return stream ? api::message_stream(answer) : api::message_object(answer);
    default:
      return stream ? api::chat_completion_stream(answer) : api::chat_completion(answer);
  }
}

std::string_view endpoint_word(exchange::Endpoint endpoint) {
  switch (endpoint) {
    case exchange::Endpoint::kChatCompletions:
      return "chat_completions";
    case exchange::Endpoint::kCompletions:
      return "completions";
    case exchange::Endpoint::kEmbeddings:
      return "embeddings";
    case exchange::Endpoint::kResponses:
      return "responses";
    case exchange::Endpoint::kMessages:
      return "messages";
    case exchange::Endpoint::kRerank:
      return "rerank";
    case exchange::Endpoint::kScore:
      return "score";
    case exchange::Endpoint::kTokenize:
      return "tokenize";
    case exchange::Endpoint::kDetokenize:
      return "detokenize";
    case exchange::Endpoint::kAudio:
      return "audio";
    case exchange::Endpoint::kOther:
      return "other";
  }
  return "other";
}

}  // namespace signalbox::pipeline
