#include "sim/engine.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/hash.h"

namespace signalbox::sim {
namespace {

std::size_t blocks_of(std::size_t tokens) { return (tokens + kBlockTokens - 1) / kBlockTokens; }

}  // namespace

Sequence::~Sequence() {
  // Without a clock here the place is given on as of the moment its prefill ended; ends in order call end() first.
  engine_.end(*this, first_token_at_);
}

TimePoint Sequence::token_due(std::size_t index) const {
  return first_token_at_ + engine_.options().decode * static_cast<std::int64_t>(index);
}

Engine::Engine(EngineOptions options) : options_(std::move(options)), cache_(options_.blocks) {}

bool Engine::has_room(const Sequence& sequence) const {
  if (running_ == 0) return true;  // one sequence always runs, however large
  return running_ < options_.running_max &&
         blocks_used_ + sequence.blocks_needed_ <= options_.blocks;
}

Engine::Admission Engine::submit(Sequence& sequence, const Prompt& prompt,
                                 std::size_t answer_tokens, TimePoint now,
                                 std::function<void()> on_start) {
  sequence.submitted_at_ = now;
  sequence.prompt_tokens_ = count_tokens(prompt.text);
  sequence.blocks_needed_ = blocks_of(sequence.prompt_tokens_ + answer_tokens);
  const std::uint64_t salt = prompt.cache_salt.empty() ? 0 : hash64(prompt.cache_salt);
  sequence.block_hashes_ =
      hash_blocks(prompt.text, (prompt.adapter.empty() ? 0 : hash64(prompt.adapter)) ^ salt);
  if (kv_listener_) sequence.tokens_ = prompt.ids != nullptr ? *prompt.ids : token_ids(prompt.text);
  sequence.adapter_ = prompt.adapter;
  sequence.cache_salt_ = prompt.cache_salt;
  sequence.transferred_ = prompt.transferred;
  if (waiting_.empty() && has_room(sequence)) {
    start(sequence, now);
    return Admission::kStarted;
  }
  if (waiting_.size() >= options_.waiting_max) return Admission::kRefused;
  sequence.on_start_ = std::move(on_start);
  sequence.state_ = Sequence::State::kWaiting;
  waiting_.push_back(&sequence);
  return Admission::kQueued;
}

void Engine::start(Sequence& sequence, TimePoint now) {
  const auto use = cache_.use(sequence.block_hashes_);
  if (kv_listener_) tell(sequence, use);
  // The last token is always computed: its logits are the answer's beginning.
  const std::size_t hits =
      sequence.transferred_ ? sequence.prompt_tokens_ : use.hits * kBlockTokens;
  sequence.cached_tokens_ = std::min(hits, sequence.prompt_tokens_ - 1);
  prefix_queries_ += sequence.prompt_tokens_;
  prefix_hits_ += sequence.cached_tokens_;
  sequence.block_hashes_ = {};
  sequence.tokens_ = {};
  const std::size_t to_compute = sequence.prompt_tokens_ - sequence.cached_tokens_;
  Duration prefill{};
  if (options_.prefill_tokens_per_second > 0) {
    prefill = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
        static_cast<double>(to_compute) / options_.prefill_tokens_per_second));
  }
  prefill_free_at_ = std::max(now, prefill_free_at_) + prefill;
  sequence.first_token_at_ = prefill > Duration::zero() ? prefill_free_at_ : now;
  sequence.state_ = Sequence::State::kRunning;
  ++running_;
  blocks_used_ += sequence.blocks_needed_;
  if (!sequence.adapter_.empty()) active_.push_back(&sequence);
}

void Engine::tell(const Sequence& sequence, const PrefixCache::Use& use) const {
  std::vector<kv::NamedEvent> events;
  if (!use.evicted.empty()) events.emplace_back(kv::NamedRemoved{use.evicted});
  if (use.kept > use.hits) {
    const auto& hashes = sequence.block_hashes_;
    const auto at = [&](const auto& all, std::size_t i) {
      return all.begin() + static_cast<std::ptrdiff_t>(i);
    };
    kv::NamedStored stored;
    stored.blocks.assign(at(hashes, use.hits), at(hashes, use.kept));
    if (use.hits > 0) stored.parent = hashes[use.hits - 1];
    stored.tokens.assign(at(sequence.tokens_, use.hits * kBlockTokens),
                         at(sequence.tokens_, use.kept * kBlockTokens));
    stored.block_tokens = kBlockTokens;
    stored.adapter = sequence.adapter_;
    stored.cache_salt = sequence.cache_salt_;
    events.emplace_back(std::move(stored));
  }
  if (!events.empty()) kv_listener_(std::move(events));
}

void Engine::end(Sequence& sequence, TimePoint now) {
  const auto was = std::exchange(sequence.state_, Sequence::State::kDone);
  if (was == Sequence::State::kWaiting) std::erase(waiting_, &sequence);
  if (was != Sequence::State::kRunning) return;
  --running_;
  blocks_used_ -= sequence.blocks_needed_;
  if (!sequence.adapter_.empty()) std::erase(active_, &sequence);
  while (!waiting_.empty() && has_room(*waiting_.front())) {
    Sequence& next = *waiting_.front();
    waiting_.pop_front();
    start(next, now);
    if (next.on_start_) std::exchange(next.on_start_, nullptr)();
  }
}

bool Engine::is_adapter(std::string_view model) const {
  return std::ranges::find(options_.adapters, model) != options_.adapters.end();
}

bool Engine::serves(std::string_view model) const {
  return model == options_.model || is_adapter(model);
}

bool Engine::load_adapter(std::string_view name) {
  if (serves(name)) return false;
  options_.adapters.emplace_back(name);
  return true;
}

bool Engine::unload_adapter(std::string_view name) {
  return std::erase(options_.adapters, name) > 0;
}

double Engine::cache_usage() const {
  if (options_.blocks == 0) return 0;
  return std::min(1.0, static_cast<double>(blocks_used_) / static_cast<double>(options_.blocks));
}

namespace {

template <class Sequences, class NameOf>
std::string names(const Sequences& sequences, NameOf name_of) {
  std::set<std::string> unique;
  for (const Sequence* sequence : sequences) {
    if (!name_of(*sequence).empty()) unique.insert(name_of(*sequence));
  }
  std::string out;
  for (const auto& name : unique) out += (out.empty() ? "" : ",") + name;
  return out;
}

}  // namespace

std::string Engine::running_adapters() const {
  return names(active_,
               [](const Sequence& sequence) -> const std::string& { return sequence.adapter_; });
}

std::string Engine::waiting_adapters() const {
  return names(waiting_,
               [](const Sequence& sequence) -> const std::string& { return sequence.adapter_; });
}

}  // namespace signalbox::sim
