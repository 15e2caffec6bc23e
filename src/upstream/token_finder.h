// Token ids of prompts, for policies that go by what engines hold. Where the client sent ids, those; else, where the model
// has a tokenizer here that agrees with its engines, our own; else an engine's /tokenize, which renders the chat template
// as the engine will. A cache of prompts seen before stands before both.
//
// Our own: the request is rendered and tokenised on its core. Of a conversation that goes on only the new turn is
// tokenised. More than kLocalPromptBytesMax of new text is left to an engine, so that no core stands still for long.
//
// The cache knows beginnings of conversations: each prompt is kept under the hash of its messages, so that the next turn,
// which repeats them, finds its beginning at once. What is new is short then, and is learnt beside the request for the turn
// after; a request waits for /tokenize only when less than 7/8 of its prompt is known, and no longer than
// kv_events.tokenize_timeout. Prompts under kShortBytes have no whole blocks worth knowing of.
//
// Bounds, per core: kTokenCacheBytesMax of ids, the least recently used leave; kTokenizeCallsMax calls at a time, further
// requests go without ids. One per core; all members are called on its loop.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "discovery/endpoint_table.h"
#include "exchange/exchange.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/task.h"
#include "prompt/prompt_tokenizer.h"
#include "telemetry/instruments.h"
#include "upstream/local_tokenizers.h"

namespace signalbox::upstream {

using TokenIds = std::shared_ptr<const std::vector<std::uint32_t>>;

// A prompt that was seen: its ids, and its text where it was rendered here.
using KnownPrompt = std::shared_ptr<const prompt::Tokenized>;
// nullptr of nullptr.
TokenIds ids_of(const KnownPrompt& known);

// Prompts by the hash of their messages.
class TokenCache {
 public:
  explicit TokenCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  // nullptr: not known. Counts as a use.
  KnownPrompt find(std::uint64_t key);
  void insert(std::uint64_t key, KnownPrompt prompt);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::uint64_t key;
    KnownPrompt prompt;
  };
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> places_;
};

// What a request's prompt is known by. Pure.
struct PromptKeys {
  struct Position {
    std::uint64_t key = 0;      // of everything up to the end of this message
    std::size_t bytes_end = 0;  // of the messages so far
  };
  std::vector<Position> positions;                // one a message, or one for a text prompt
  std::optional<std::vector<std::uint32_t>> ids;  // the client's own
};
PromptKeys prompt_keys(const exchange::Exchange& exchange, const exchange::Candidate& candidate);

// Token ids of an answer of /tokenize. Errors: kUpstreamProtocol.
Result<std::vector<std::uint32_t>> parse_tokenize_answer(std::string_view body);

class TokenFinder {
 public:
  TokenFinder(net::Loop& loop, http::ClientPool& clients, telemetry::Instruments& instruments)
      : loop_(loop),
        clients_(clients),
        instruments_(instruments),
        calls_(loop),
        cache_(limits::kTokenCacheBytesMax) {}

  struct Query {
    std::shared_ptr<const config::Config> config;
    std::shared_ptr<const discovery::EndpointSet> set;
    std::shared_ptr<const LocalTokenizers> tokenizers{};  // nullptr: none
    std::size_t candidate = 0;  // of exchange.candidates; its tokens are wanted
  };
  // Writes exchange->tokens. Never fails: without ids the source is kNone, which is counted, and logged once a model and
  // core.
  net::Task<void> find(exchange::Exchange* exchange, Query query);
  // Ends what was begun beside requests.
  net::Task<void> stop();

 private:
  struct Call;
  std::shared_ptr<Call> call_of(const exchange::Exchange& exchange, const Query& query,
                                std::uint64_t key);
  // nullptr: this prompt is not to be tokenised here.
  KnownPrompt tokenize_here(const exchange::Exchange& exchange, const Query& query,
                            const KnownPrompt& beginning);
  net::Task<KnownPrompt> ask(std::shared_ptr<Call> call);
  net::Task<void> learn(std::shared_ptr<Call> call);
  net::Task<KnownPrompt> wait_for(std::shared_ptr<Call> call);
  void found(exchange::Exchange* exchange, exchange::TokenSource source, TokenIds ids,
             std::string_view word = {});
  void complain(const std::string& model, const std::string& why);

  net::Loop& loop_;
  http::ClientPool& clients_;
  telemetry::Instruments& instruments_;
  net::TaskGroup calls_;
  net::Cancellation stop_;
  TokenCache cache_;
  std::set<std::string> complained_;  // models of the configuration
};

}  // namespace signalbox::upstream
