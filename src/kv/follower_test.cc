#include "kv/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <deque>
#include <vector>

namespace signalbox::kv {
namespace {

using testing::ElementsAre;

std::string payload(std::uint64_t number) {
  return encode_batch(static_cast<double>(number), {}, 0);
}

// Notes what it is told: numbers of batches, -1 for "lost", -2 for "malformed".
struct Notes final : Listener {
  void batch(std::uint64_t, Batch batch, Source) override {
    told.push_back(static_cast<int>(batch.timestamp));
  }
  void lost(std::uint64_t) override { told.push_back(-1); }
  void malformed(std::uint64_t) override { told.push_back(-2); }
  std::vector<int> told;
};

Publisher with_replay() {
  return {.id = 1, .endpoint = "tcp://e:1", .replay_endpoint = "tcp://e:2", .topic = ""};
}

struct Fixture {
  explicit Fixture(Publisher publisher) : follower(std::move(publisher), notes) {}
  void live(std::initializer_list<std::uint64_t> numbers) {
    for (const auto number : numbers) follower.live(number, payload(number));
  }
  void replay(std::initializer_list<std::uint64_t> numbers) {
    for (const auto number : numbers) follower.replayed(number, payload(number));
    follower.replay_ended();
  }
  Notes notes;
  Follower follower;
};

TEST(Follower, WithoutReplayBeginsAnywhere) {
  Fixture f({.id = 1, .endpoint = "tcp://e:1"});
  f.live({5, 6, 7});
  EXPECT_THAT(f.notes.told, ElementsAre(5, 6, 7));
}

TEST(Follower, WithoutReplayAGapIsALoss) {
  Fixture f({.id = 1, .endpoint = "tcp://e:1"});
  f.live({5, 8, 9});
  EXPECT_THAT(f.notes.told, ElementsAre(5, -1, 8, 9));
}

TEST(Follower, ASmallerNumberIsANewPublisher) {
  Fixture f({.id = 1, .endpoint = "tcp://e:1"});
  f.live({5, 6, 2, 3});
  EXPECT_THAT(f.notes.told, ElementsAre(5, 6, -1, 2, 3));
}

TEST(Follower, AGapIsReplayedInOrder) {
  Fixture f(with_replay());
  f.live({0, 1, 4});
  EXPECT_TRUE(f.follower.replaying());
  EXPECT_EQ(f.follower.replay_from(), 2U);
  f.live({5});
  f.replay({2, 3, 4});
  EXPECT_THAT(f.notes.told, ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Follower, BeginsWithAllThatThePublisherKeeps) {
  Fixture f(with_replay());
  f.follower.connected();
  EXPECT_EQ(f.follower.replay_from(), 0U);
  f.live({12});
  f.replay({10, 11, 12});
  f.live({13});
  EXPECT_THAT(f.notes.told, ElementsAre(10, 11, 12, 13));
}

TEST(Follower, WhatThePublisherHasForgottenIsLost) {
  Fixture f(with_replay());
  f.live({0, 9});
  f.replay({7, 8, 9});
  EXPECT_THAT(f.notes.told, ElementsAre(0, -1, 7, 8, 9));
}

TEST(Follower, APublisherThatDoesNotReplayIsFollowedAllTheSame) {
  Fixture f(with_replay());
  f.live({0, 9});
  f.replay({});
  EXPECT_THAT(f.notes.told, ElementsAre(0, -1, 9));
}

TEST(Follower, AHoleInAReplayIsAskedForAgain) {
  Fixture f(with_replay());
  f.live({0, 9});
  f.replay({1, 2, 5, 6});
  EXPECT_TRUE(f.follower.replaying());
  EXPECT_EQ(f.follower.replay_from(), 3U);
  f.replay({3, 4, 5, 6, 7, 8, 9});
  EXPECT_THAT(f.notes.told, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(Follower, ABrokenConnectionVoidsWhatIsKnown) {
  Fixture f(with_replay());
  f.live({0, 1});
  f.follower.disconnected();
  f.follower.connected();
  f.replay({0});
  EXPECT_THAT(f.notes.told, ElementsAre(0, 1, -1, 0));
}

TEST(Follower, AMalformedBatchIsOneOfTheSeries) {
  Fixture f(with_replay());
  f.live({0});
  f.follower.live(1, "nonsense");
  f.live({2});
  EXPECT_THAT(f.notes.told, ElementsAre(0, -2, 2));
}

// Whatever the network drops, with a replay that works everything comes once and in order.
TEST(Follower, LosesNothingThatIsReplayed) {
  rc::check([](const std::vector<bool>& dropped) {
    Fixture f(with_replay());
    f.live({0});
    std::uint64_t number = 0;
    for (const bool drop : dropped) {
      ++number;
      if (!drop) f.follower.live(number, payload(number));
      // The replay comes some batches later.
      if (f.follower.replaying() && number % 3 == 0) {
        for (std::uint64_t i = f.follower.replay_from(); i <= number; ++i)
          f.follower.replayed(i, payload(i));
        f.follower.replay_ended();
      }
    }
    f.follower.live(number + 1, payload(number + 1));
    while (f.follower.replaying()) {
      for (std::uint64_t i = f.follower.replay_from(); i <= number + 1; ++i)
        f.follower.replayed(i, payload(i));
      f.follower.replay_ended();
    }
    RC_ASSERT(f.notes.told.size() == number + 2);
    for (std::size_t i = 0; i < f.notes.told.size(); ++i)
      RC_ASSERT(f.notes.told[i] == static_cast<int>(i));
  });
}

}  // namespace
}  // namespace signalbox::kv
