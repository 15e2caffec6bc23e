// One publisher as its subscriber follows it: the order of its batches, and what to do about missing ones. Knows no
// sockets, so that every order of messages can be tested; the subscriber carries out what it asks for. Single-threaded.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "kv/sequence.h"
#include "kv/subscriber.h"

namespace signalbox::kv {

class Follower {
 public:
  Follower(Publisher publisher, Listener& listener)
      : publisher_(std::move(publisher)), listener_(listener) {}

  const Publisher& publisher() const { return publisher_; }
  // Of the connection.
  void connected();
  void disconnected();
  void live(std::uint64_t number, std::string payload);
  void replayed(std::uint64_t number, const std::string& payload);
  // The publisher has sent all it keeps, or has not answered in time.
  void replay_ended();

  // A replay from this number on is wanted or under way.
  bool replaying() const { return replaying_; }
  std::uint64_t replay_from() const { return replay_from_; }
  // Grows with every replay begun, so that the subscriber sees when to ask.
  std::uint64_t replays() const { return replays_; }

 private:
  void start_replay(std::uint64_t from);
  void apply(std::uint64_t number, const std::string& payload, Source source);
  void lose();
  void drain();

  Publisher publisher_;
  Listener& listener_;
  Sequence sequence_;
  bool replaying_ = false;
  bool hole_ = false;      // in the replay under way: the rest of it is of no use
  bool progress_ = false;  // the replay under way brought something new
  std::uint64_t replay_from_ = 0;
  std::uint64_t replays_ = 0;
  std::deque<std::pair<std::uint64_t, std::string>> waiting_;  // live batches behind the replay
};

}  // namespace signalbox::kv
