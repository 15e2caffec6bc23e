// What the LMCache of some options' engines holds of a prompt, by the names that LMCache gives its chunks
// (index/chunk_hash.h). An engine whose naming is not recognised yet is told apart from one that holds nothing. One per
// core; allocates nothing in steady state.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "balancer/policy.h"
#include "index/chunk_cache.h"

namespace signalbox::balancer {

class ChunkLookup {
 public:
  // Options of the candidate that context.tokens belongs to. Cost: hashing the prompt once for each scheme in use, and its
  // first chunk by all schemes while an engine's is not known; the probes are those of KvIndex::match().
  void look_up(std::span<const Option> options, const Context& context);
  // Of the last look_up(). Nothing: it does not know; also of prompts that are shorter than a chunk.
  std::optional<index::KvHeld> held(const Option& option, const Context& context) const;

  struct Coming {
    std::shared_ptr<index::KvEngine> engine;
    std::span<const std::uint64_t> names;  // in the index; valid until the next look_up()
  };
  // The request goes there: what LMCache will store soon, if anything.
  std::optional<Coming> sent(const Option& option, const Context& context) const;

 private:
  void use(std::size_t scheme);
  void recognise(std::span<const Option> options, const Context& context);

  index::KvMatches matches_;
  std::vector<std::size_t> schemes_;        // in use among the options
  std::vector<std::uint64_t> names_;        // scratch
  std::vector<std::uint64_t> first_names_;  // of the first chunk by all schemes; empty: not needed
  std::uint32_t chunk_tokens_ = 0;          // 0: the prompt has no whole chunk
  std::uint32_t foreign_passed_ = 0;  // look-ups since naming that is not known was last tried
};

}  // namespace signalbox::balancer
