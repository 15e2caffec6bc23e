#include "balancer/testing/virtual_engine.h"

#include <algorithm>
#include <utility>

namespace signalbox::balancer::testing {

bool Timeline::later(const Event& a, const Event& b) {
  return a.when != b.when ? a.when > b.when : a.number > b.number;
}

void Timeline::at(TimePoint when, std::function<void()> what) {
  events_.push_back({std::max(when, now_), planned_++, std::move(what)});
  std::ranges::push_heap(events_, later);
}

void Timeline::after(double seconds, std::function<void()> what) {
  at(now_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)),
     std::move(what));
}

void Timeline::run_until(TimePoint end) {
  while (!events_.empty() && events_.front().when <= end) {
    std::ranges::pop_heap(events_, later);
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.when;
    event.what();
  }
  now_ = std::max(now_, end);
}

std::vector<std::uint64_t> VirtualEngine::block_names(std::string_view text) const {
  const auto size = static_cast<std::size_t>(model_.block_tokens * model_.token_bytes);
  std::vector<std::uint64_t> names;
  for (; text.size() >= size; text.remove_prefix(size))
    names.push_back(hash64(text.substr(0, size), names.empty() ? 1 : names.back()));
  return names;
}

void VirtualEngine::submit(Generation generation) {
  auto active = std::make_unique<Active>();
  active->blocks = block_names(generation.text);
  active->prompt_tokens = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(generation.text.size()) / model_.token_bytes);
  active->reserved = generation.output_tokens / model_.block_tokens + 1;
  active->generation = std::move(generation);
  waiting_.push_back(std::move(active));
  ++counters_.requests;
  if (!stepping_) begin_step();
}

// Takes every block of the prompt, and room for the answer, or nothing at all.
bool VirtualEngine::acquire(Active& active) {
  std::size_t hits = 0;
  while (hits < active.blocks.size() && cache_.contains(active.blocks[hits])) ++hits;
  int idle_hits = 0;
  int missing = 0;
  for (const auto name : active.blocks) {
    const auto at = cache_.find(name);
    if (at == cache_.end())
      ++missing;
    else if (at->second.users == 0)
      ++idle_hits;
  }
  const int used = static_cast<int>(cache_.size() - idle_.size()) + reserved_;
  if (used + idle_hits + missing + active.reserved > model_.blocks) return false;
  for (const auto name : active.blocks) {
    Block& block = cache_[name];
    const bool is_new = block.users == 0 && block.idle == std::list<std::uint64_t>::iterator{};
    if (block.users++ == 0 && !is_new) {
      idle_.erase(block.idle);
      block.idle = {};
    }
  }
  reserved_ += active.reserved;
  shrink();
  const std::int64_t cached = std::min<std::int64_t>(
      static_cast<std::int64_t>(hits) * model_.block_tokens, active.prompt_tokens - 1);
  active.to_compute = active.prompt_tokens - cached;
  counters_.queried += active.prompt_tokens;
  counters_.hits += cached;
  return true;
}

// The answer becomes cached blocks too; of the prompt, the tail is the first to be evicted.
void VirtualEngine::release(Active& active) {
  reserved_ -= active.reserved;
  std::string text = std::move(active.generation.text);
  text.append(static_cast<std::size_t>(active.made * model_.token_bytes), 'a');
  const auto names = block_names(text);
  for (std::size_t i = active.blocks.size(); i < names.size(); ++i) {
    if (cache_.contains(names[i])) continue;
    idle_.push_back(names[i]);
    cache_[names[i]].idle = std::prev(idle_.end());
  }
  for (std::size_t i = active.blocks.size(); i > 0; --i) {
    Block& block = cache_[active.blocks[i - 1]];
    if (--block.users > 0) continue;
    idle_.push_back(active.blocks[i - 1]);
    block.idle = std::prev(idle_.end());
  }
  shrink();
}

void VirtualEngine::shrink() {
  while (static_cast<int>(cache_.size()) + reserved_ > model_.blocks && !idle_.empty()) {
    cache_.erase(idle_.front());
    idle_.pop_front();
  }
}

void VirtualEngine::admit() {
  while (!waiting_.empty() && running() < model_.running_max && acquire(*waiting_.front())) {
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// Spends one step's tokens, answers first; the seconds it takes.
double VirtualEngine::plan() {
  std::int64_t budget = model_.step_tokens;
  int decoding = 0;
  for (const auto& active : running_) decoding += active->to_compute == 0 ? 1 : 0;
  budget -= decoding;
  std::int64_t prefill = 0;
  for (const auto& active : running_) {
    if (active->to_compute == 0 || budget <= 0) continue;
    const std::int64_t part = std::min(budget, active->to_compute);
    active->to_compute -= part;
    budget -= part;
    prefill += part;
    if (active->to_compute > 0) break;
  }
  return model_.step_seconds + decoding * model_.decode_seconds +
         static_cast<double>(prefill) / model_.prefill_rate;
}

void VirtualEngine::begin_step() {
  admit();
  stepping_ = !running_.empty();
  if (stepping_) timeline_.after(plan(), [this] { end_step(); });
}

void VirtualEngine::end_step() {
  std::vector<std::unique_ptr<Active>> finished;
  for (auto& active : running_) {
    if (active->to_compute > 0) continue;
    if (++active->made == 1) active->generation.first_token();
    if (active->made < active->generation.output_tokens) continue;
    release(*active);
    finished.push_back(std::move(active));
  }
  std::erase(running_, nullptr);
  // What is done may ask again at once; the next step begins before.
  begin_step();
  for (auto& active : finished) active->generation.done();
}

}  // namespace signalbox::balancer::testing
