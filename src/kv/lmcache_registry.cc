#include "kv/lmcache_registry.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace signalbox::kv::lmcache {
namespace {

// A full sync stops a worker from storing for some seconds, so it is not asked for without end.
constexpr std::chrono::seconds kSyncAgainAfter{60};
constexpr std::size_t kLocationsMax = 16;  // of one worker

template <class... Visitors>
struct Overload : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

std::size_t Registry::workers() const {
  std::size_t count = 0;
  for (const auto& [name, instance] : instances_) count += instance.workers.size();
  return count;
}

Registry::Found Registry::find(const Worker& worker) {
  const auto place = instances_.find(worker.instance);
  if (place == instances_.end()) return {};
  auto& workers = place->second.workers;
  const auto state = workers.find(worker.rank);
  if (state == workers.end()) return {};
  return {&*place, &state->second, state == workers.begin()};
}

std::optional<Registry::Found> Registry::find_or_make(const Worker& worker, TimePoint now) {
  if (auto found = find(worker); found.state != nullptr) {
    found.state->last_heard = now;
    return found;
  }
  auto place = instances_.find(worker.instance);
  const bool full = place == instances_.end()
                        ? instances_.size() >= limits::kLmcacheInstancesMax
                        : place->second.workers.size() >= limits::kLmcacheWorkersMax;
  if (full) {
    ++counts_.refused;
    return std::nullopt;
  }
  const bool is_new = place == instances_.end();
  if (is_new) place = instances_.try_emplace(worker.instance).first;
  auto& workers = place->second.workers;
  const bool leads = workers.empty() || worker.rank < workers.begin()->first;
  WorkerState& state = workers[worker.rank];
  state.last_heard = now;
  state.stale = true;  // until it registers: it may have stored much before we came
  if (is_new) {
    listener_.instance(worker.instance, "", true);
  } else if (leads) {
    listener_.clear(worker.instance);
  }
  return Found{&*place, &state, leads};
}

// A worker registers when it starts, so it holds nothing.
bool Registry::begin(const Presence& presence, TimePoint now) {
  const auto found = find_or_make(presence.worker, now);
  if (!found) return false;
  auto& [name, instance] = *found->place;
  const bool beats = found->state->beats;
  *found->state = WorkerState{};
  found->state->peer_url = presence.peer_url;
  found->state->last_heard = now;
  found->state->registered = true;
  found->state->beats = beats;
  if (!presence.ip.empty()) instance.ip = presence.ip;
  if (!found->leads) return true;
  instance.locations.clear();
  listener_.instance(name, instance.ip, true);
  return true;
}

// Of a worker that we did not know it says where it is, too; what it holds it does not.
void Registry::beat(const Presence& presence, TimePoint now) {
  const auto found = find_or_make(presence.worker, now);
  if (!found) return;
  found->state->beats = true;
  if (found->state->registered) return;
  found->state->registered = true;
  found->state->peer_url = presence.peer_url;
  auto& [name, instance] = *found->place;
  if (presence.ip.empty() || presence.ip == instance.ip) return;
  instance.ip = presence.ip;
  listener_.instance(name, instance.ip, false);
}

void Registry::drop(Place& place, std::uint32_t rank) {
  auto& workers = place.second.workers;
  const bool led = workers.begin()->first == rank;
  workers.erase(rank);
  if (workers.empty()) {
    const std::string name = place.first;
    listener_.gone(name);
    instances_.erase(name);
    return;
  }
  if (!led) return;
  listener_.clear(place.first);
  workers.begin()->second.stale = true;
}

void Registry::leave(const Worker& worker) {
  const auto found = find(worker);
  if (found.state != nullptr) drop(*found.place, worker.rank);
}

void Registry::expire(TimePoint now) {
  std::vector<Worker> silent;
  for (const auto& [name, instance] : instances_) {
    for (const auto& [rank, state] : instance.workers)
      if (state.beats && now - state.last_heard > options_.worker_timeout)
        silent.push_back({name, rank});
  }
  counts_.expired += silent.size();
  for (const Worker& worker : silent) leave(worker);
}

bool Registry::lost_some(WorkerState& state, const Operations& operations) {
  if (!state.last_number.contains(operations.location) && state.last_number.size() >= kLocationsMax)
    return false;
  bool lost = false;
  for (const auto& operation : operations.operations) {
    if (!operation.number) continue;
    const auto [last, first] =
        state.last_number.try_emplace(operations.location, *operation.number);
    lost |= !first && *operation.number != last->second + 1;
    last->second = *operation.number;
  }
  return lost;
}

void Registry::lose(const Found& found) {
  ++counts_.gaps;
  found.state->stale = true;
  if (found.leads) listener_.clear(found.place->first);
}

void Registry::apply(const Operations& operations, TimePoint now) {
  const auto found = find_or_make(operations.worker, now);
  if (!found) return;
  if (lost_some(*found->state, operations)) lose(*found);
  if (!found->leads) return;
  const Tier tier = tier_of(operations.location);
  auto& [name, instance] = *found->place;
  instance.locations[tier] = operations.location;
  // Runs of one kind go together.
  std::vector<std::uint64_t> chunks;
  const auto& list = operations.operations;
  for (std::size_t i = 0; i < list.size(); ++i) {
    chunks.push_back(list[i].chunk);
    if (i + 1 < list.size() && list[i + 1].admit == list[i].admit) continue;
    list[i].admit ? listener_.store(name, chunks, tier) : listener_.remove(name, chunks, tier);
    chunks.clear();
  }
}

void Registry::pushed(const Message& message, TimePoint now) {
  std::visit(Overload{[&](const Presence& presence) {
                        presence.heartbeat ? beat(presence, now) : void(begin(presence, now));
                      },
                      [&](const Departure& departure) { leave(departure.worker); },
                      [&](const Operations& operations) { apply(operations, now); },
                      [&](const SyncBatch& batch) { take(batch, now); },
                      [&](const SyncEnd& end) { end_sync(end, now); }, [](const auto&) {}},
             message);
}

std::string Registry::asked(const Message& message, TimePoint now) {
  return std::visit(
      Overload{
          [&](const Presence& presence) {
            if (presence.heartbeat) return heartbeat(presence, now);
            if (!begin(presence, now)) return error_answer("too many instances or workers");
            return register_answer(options_.heartbeat_url ? options_.heartbeat_url(presence.ip)
                                                          : std::string());
          },
          [&](const SyncStart& start) { return start_sync(start, now); },
          [&](const SyncStatus& status_asked) { return status(status_asked, now); },
          [&](const PeerLookup& lookup) { return find_peer(lookup); },
          [](const Other& other) { return error_answer("Unknown message type: " + other.type); },
          [](const auto&) { return error_answer("a message that gets no answer"); }},
      message);
}

// Of all ranks, so that none waits for an answer that only the leading one would get.
std::string Registry::heartbeat(const Presence& presence, TimePoint now) {
  beat(presence, now);
  const auto found = find(presence.worker);
  if (found.state == nullptr || !found.leads || !found.state->stale) return heartbeat_answer("");
  auto& asked_at = found.state->sync_asked;
  if (asked_at && now - *asked_at < kSyncAgainAfter) return heartbeat_answer("");
  asked_at = now;
  ++counts_.syncs_asked;
  return heartbeat_answer("chunks_unknown");
}

std::string Registry::start_sync(const SyncStart& start, TimePoint now) {
  if (start.batches > limits::kLmcacheSyncBatchesMax)
    return sync_start_answer(start.sync, "too many batches");
  const auto found = find_or_make(start.worker, now);
  if (!found) return sync_start_answer(start.sync, "too many instances or workers");
  found->state->sync = Sync{start.sync, start.location, start.batches, {}, false, false};
  if (!found->leads) return sync_start_answer(start.sync, "");
  const Tier tier = tier_of(start.location);
  found->place->second.locations[tier] = start.location;
  listener_.clear(found->place->first, tier);
  return sync_start_answer(start.sync, "");
}

void Registry::take(const SyncBatch& batch, TimePoint now) {
  const auto found = find(batch.worker);
  if (found.state == nullptr) return;
  found.state->last_heard = now;
  auto& sync = found.state->sync;
  if (!sync || sync->id != batch.sync || batch.batch >= limits::kLmcacheSyncBatchesMax) return;
  sync->received.insert(batch.batch);
  if (found.leads) listener_.store(found.place->first, batch.chunks, tier_of(batch.location));
  note_if_complete(*found.state);
}

// Batches that were missing are sent again behind the end.
void Registry::note_if_complete(WorkerState& state) {
  if (!state.sync->complete() || std::exchange(state.sync->done, true)) return;
  ++counts_.syncs_done;
  state.stale = false;
}

void Registry::end_sync(const SyncEnd& end, TimePoint now) {
  const auto found = find(end.worker);
  if (found.state == nullptr) return;
  found.state->last_heard = now;
  auto& sync = found.state->sync;
  if (!sync || sync->id != end.sync) return;
  sync->ended = true;
  note_if_complete(*found.state);
}

std::string Registry::status(const SyncStatus& asked, TimePoint now) {
  SyncProgress progress;
  const auto found = find(asked.worker);
  if (found.state != nullptr) {
    found.state->last_heard = now;
    const auto& sync = found.state->sync;
    // One that we know nothing of cannot become complete by waiting.
    progress.may_go_on = !sync || sync->id != asked.sync;
    if (sync && sync->id == asked.sync) {
      progress.complete = progress.may_go_on = sync->complete();
      for (std::uint64_t batch = 0; batch < sync->batches; ++batch)
        if (!sync->received.contains(batch)) progress.missing.push_back(batch);
    }
  } else {
    progress.may_go_on = true;
  }
  progress.all_workers = in_sync();
  return sync_status_answer(asked.sync, progress);
}

double Registry::in_sync() const {
  std::size_t all = 0;
  std::size_t fresh = 0;
  for (const auto& [name, instance] : instances_) {
    for (const auto& [rank, state] : instance.workers) {
      ++all;
      fresh += state.stale ? 0 : 1;
    }
  }
  return all == 0 ? 0 : static_cast<double>(fresh) / static_cast<double>(all);
}

// The instance with the most of the asked chunks from the first on. The rank of the same number there has the same part.
std::string Registry::find_peer(const PeerLookup& lookup) const {
  Peer best;
  for (const auto& [name, instance] : instances_) {
    const auto state = instance.workers.find(lookup.worker.rank);
    if (name == lookup.worker.instance || state == instance.workers.end() ||
        state->second.peer_url.empty() || lookup.chunks.empty())
      continue;
    const auto tier = listener_.holds(name, lookup.chunks.front());
    const auto location = tier ? instance.locations.find(*tier) : instance.locations.end();
    if (location == instance.locations.end()) continue;
    std::uint64_t count = 0;
    for (const std::uint64_t chunk : lookup.chunks) {
      if (listener_.holds(name, chunk) != tier) break;
      ++count;
    }
    if (count > best.chunks) best = {name, location->second, count, state->second.peer_url};
  }
  return peer_answer(best);
}

}  // namespace signalbox::kv::lmcache
