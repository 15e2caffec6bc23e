#include "request/endpoint.h"

#include <algorithm>
#include <array>

namespace signalbox::request {
namespace {

using exchange::Endpoint;

struct Path {
  std::string_view path;
  Endpoint endpoint;
};

constexpr std::array kPaths = {
    Path{"/chat/completions", Endpoint::kChatCompletions},
    Path{"/completions", Endpoint::kCompletions},
    Path{"/embeddings", Endpoint::kEmbeddings},
    Path{"/responses", Endpoint::kResponses},
    Path{"/messages", Endpoint::kMessages},
    Path{"/rerank", Endpoint::kRerank},
    Path{"/score", Endpoint::kScore},
    Path{"/tokenize", Endpoint::kTokenize},
    Path{"/detokenize", Endpoint::kDetokenize},
    Path{"/audio/transcriptions", Endpoint::kAudio},
    Path{"/audio/translations", Endpoint::kAudio},
    Path{"/audio/speech", Endpoint::kAudio},
};

}  // namespace

Endpoint endpoint_of(std::string_view path) {
  if (path == "/v2/rerank") return Endpoint::kRerank;
  if (path.starts_with("/v1/")) path.remove_prefix(3);
  const auto found = std::ranges::find(kPaths, path, &Path::path);
  return found == kPaths.end() ? Endpoint::kOther : found->endpoint;
}

bool has_json_body(Endpoint endpoint) {
  return endpoint != Endpoint::kAudio && endpoint != Endpoint::kOther;
}

bool requires_model(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kChatCompletions:
    case Endpoint::kCompletions:
    case Endpoint::kEmbeddings:
    case Endpoint::kResponses:
    case Endpoint::kMessages:
      return true;
    default:
      return false;
  }
}

}  // namespace signalbox::request
