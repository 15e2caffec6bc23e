#include "kv/follower.h"

#include "base/limits.h"

namespace signalbox::kv {

using Verdict = Sequence::Verdict;

void Follower::start_replay(std::uint64_t from) {
  replaying_ = true;
  hole_ = false;
  progress_ = false;
  replay_from_ = from;
  ++replays_;
}

void Follower::lose() {
  if (sequence_.expected()) listener_.lost(publisher_.id);
  sequence_.forget();
}

void Follower::connected() {
  if (publisher_.replay_endpoint.empty()) return;
  // All that the publisher keeps, from its beginning on; what came before this was heard of is among it.
  lose();
  start_replay(0);
}

void Follower::disconnected() {
  lose();
  waiting_.clear();
  replaying_ = false;
}

void Follower::apply(std::uint64_t number, const std::string& payload, Source source) {
  sequence_.applied(number);
  auto batch = decode_batch(payload);
  if (!batch) {
    listener_.malformed(publisher_.id);
    return;
  }
  listener_.batch(publisher_.id, *std::move(batch), source);
}

void Follower::live(std::uint64_t number, std::string payload) {
  const bool can_replay = !publisher_.replay_endpoint.empty();
  Verdict verdict = sequence_.live(number);
  if (verdict == Verdict::kRestart) {
    lose();
    waiting_.clear();
    verdict = sequence_.live(number);
    if (can_replay) start_replay(0);
  } else if (verdict == Verdict::kGap && !replaying_ && can_replay) {
    start_replay(*sequence_.expected());
  }
  if (replaying_) {
    // What does not fit is a gap later, and replayed then.
    if (waiting_.size() < limits::kKvReplayBatchesMax)
      waiting_.emplace_back(number, std::move(payload));
    return;
  }
  if (verdict == Verdict::kKnown) return;
  if (verdict == Verdict::kGap) listener_.lost(publisher_.id);
  apply(number, payload, Source::kLive);
}

void Follower::replayed(std::uint64_t number, const std::string& payload) {
  if (!replaying_ || hole_) return;
  const Verdict verdict = sequence_.replayed(number);
  if (verdict == Verdict::kKnown) return;
  if (verdict == Verdict::kGap) {
    // In the middle: dropped on the way, asked for again. At the beginning: the publisher has forgotten it.
    if (progress_) {
      hole_ = true;
      return;
    }
    listener_.lost(publisher_.id);
  }
  progress_ = true;
  apply(number, payload, Source::kReplayed);
}

void Follower::replay_ended() {
  replaying_ = false;
  if (hole_ && progress_) {
    start_replay(*sequence_.expected());
    return;
  }
  drain();
}

void Follower::drain() {
  while (!waiting_.empty()) {
    auto& [number, payload] = waiting_.front();
    const Verdict verdict = sequence_.replayed(number);
    if (verdict == Verdict::kGap) {
      if (progress_) {
        start_replay(*sequence_.expected());
        return;
      }
      listener_.lost(publisher_.id);
    }
    if (verdict != Verdict::kKnown) apply(number, payload, Source::kLive);
    waiting_.pop_front();
  }
}

}  // namespace signalbox::kv
