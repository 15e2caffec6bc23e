// What the engines of some options hold of a prompt, as they (KV events) or their LMCache say: fills Option::cached_tokens
// and Option::source where that is known. Where both speak, each tier counts what the better informed says of it. One per
// core; allocates nothing in steady state. Prompts that were sent lately and are not stored yet count as held
// (KvIndex::pend), for kPendingTime or until kKvPendingMax blocks are pending.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "balancer/chunk_lookup.h"
#include "balancer/policy.h"
#include "index/kv_index.h"

namespace signalbox::balancer {

// The adapter whose blocks a candidate's requests use there: its own, or its name upstream where the engine lists that as
// an adapter; empty for a base model.
std::string_view kv_adapter(const exchange::Candidate& candidate, const discovery::Replica& replica,
                            const discovery::EndpointSet& set);

class KvLookup {
 public:
  // Options of the candidate that context.tokens belongs to. Cost: see KvIndex::match().
  void look_up(std::span<Option> options, const Context& context);
  // The request goes there: its prompt will be in the cache soon. After a look_up() of the same request.
  void sent(const Option& option, const Context& context);

 private:
  struct Sent {
    TimePoint until;
    std::shared_ptr<index::KvEngine> engine;
    std::vector<std::uint64_t> names;
  };
  void match_blocks(std::span<const Option> options, const Context& context);
  void pend(std::shared_ptr<index::KvEngine> engine, std::span<const std::uint64_t> names,
            const Context& context);
  void expire(index::KvIndex& index, TimePoint now);

  ChunkLookup chunks_;
  index::KvMatches matches_;
  std::vector<std::uint32_t> sizes_;  // of blocks, in the last look_up()
  std::deque<Sent> sent_;
  std::size_t pending_ = 0;  // names in sent_
};

}  // namespace signalbox::balancer
