// The prompt as its engine will see it, as far as routing needs it: length and block names (index/block_chain.h) of the
// edited text. Made once a request and only if a policy wants prefixes; models and adapters are told apart by a salt when
// the index is asked, so one chain serves all candidates and all replicas.
//
// The text is, in this order: tool definitions, a system prompt of the decision where it goes, then role and text of each
// message. It is not the engine's rendering, and need not be: two prompts agree here up to a point exactly when they
// would agree there. A Signalbox before us may have done the work (exchange::HandedOn). Prompts given as token ids or
// images have no text and no names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "exchange/exchange.h"
#include "index/block_chain.h"

namespace signalbox::balancer {

class Prompt {
 public:
  // `exchange` outlives this; its request, decision and edits are written.
  explicit Prompt(const exchange::Exchange& exchange) : exchange_(&exchange) {}

  // O(bytes of the prompt), the first time.
  const index::BlockChain& chain() const;
  std::int64_t tokens() const {
    return static_cast<std::int64_t>(chain().bytes()) / index::kBytesPerToken;
  }
  // What tells the conversation from others when no session key does: hash of the heads of the system prompt and of the
  // first other message, which every later turn repeats. Nothing when the request has no text. O(messages of the system).
  std::optional<std::uint64_t> conversation() const;

 private:
  void read() const;
  const exchange::Exchange* exchange_;
  mutable index::BlockChain chain_;
  mutable bool is_read_ = false;
};

// Tells the caches of models and adapters apart: an engine computes each adapter's blocks anew.
std::uint64_t cache_salt(const exchange::Candidate& candidate);

}  // namespace signalbox::balancer
