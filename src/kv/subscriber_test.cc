#include "kv/subscriber.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "kv/publisher.h"

namespace signalbox::kv {
namespace {

using testing::ElementsAre;

constexpr std::chrono::milliseconds kTurn{200};
constexpr int kTurns = 100;

struct Notes final : Listener {
  void batch(std::uint64_t id, Batch batch, Source) override {
    note(static_cast<int>(id * 100) + static_cast<int>(batch.timestamp));
  }
  void lost(std::uint64_t id) override { note(-static_cast<int>(id)); }
  void malformed(std::uint64_t) override { note(-1000); }
  void note(int what) {
    const std::scoped_lock lock(mutex);
    told.push_back(what);
    changed.notify_all();
  }
  // The first so many notes, once they are there. A batch that was sent while the subscription was under way shows as
  // missing with the next one only, so `publisher` goes on until then, as an engine at work does.
  std::vector<int> first(std::size_t count, EventPublisher* publisher = nullptr) {
    std::unique_lock lock(mutex);
    for (int i = 0; i < kTurns && told.size() < count; ++i) {
      changed.wait_for(lock, kTurn, [&] { return told.size() >= count; });
      if (publisher != nullptr && told.size() < count) publisher->publish(99, {});
    }
    return {told.begin(), told.begin() + static_cast<std::ptrdiff_t>(std::min(count, told.size()))};
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> told;
};

std::unique_ptr<EventPublisher> open(EventPublisherOptions options = {}) {
  auto publisher = EventPublisher::open(options);
  EXPECT_TRUE(publisher.has_value());
  return *std::move(publisher);
}

Publisher following(std::uint64_t id, const EventPublisher& publisher) {
  return {.id = id,
          .endpoint = publisher.endpoint(),
          .replay_endpoint = publisher.replay_endpoint(),
          .topic = ""};
}

TEST(Subscriber, HearsWhatWasSaidBeforeItCame) {
  const auto publisher = open();
  for (int i = 0; i < 3; ++i) publisher->publish(i, {});
  Notes notes;
  Subscriber subscriber(notes);
  subscriber.follow({following(1, *publisher)});
  EXPECT_THAT(notes.first(3), ElementsAre(100, 101, 102));
  publisher->publish(3, {});
  EXPECT_THAT(notes.first(4, publisher.get()), ElementsAre(100, 101, 102, 103));
}

TEST(Subscriber, AsksForWhatItMissed) {
  const auto publisher = open();
  publisher->publish(0, {});
  Notes notes;
  Subscriber subscriber(notes);
  subscriber.follow({following(1, *publisher)});
  ASSERT_THAT(notes.first(1), ElementsAre(100));
  publisher->publish(1, {}, true);
  publisher->publish(2, {}, true);
  publisher->publish(3, {});
  EXPECT_THAT(notes.first(4, publisher.get()), ElementsAre(100, 101, 102, 103));
}

TEST(Subscriber, ARestartedEngineBeginsAnew) {
  auto publisher = open();
  publisher->publish(0, {});
  publisher->publish(1, {});
  const auto target = following(1, *publisher);
  Notes notes;
  Subscriber subscriber(notes);
  subscriber.follow({target});
  ASSERT_THAT(notes.first(2), ElementsAre(100, 101));
  publisher.reset();
  ASSERT_THAT(notes.first(3), ElementsAre(100, 101, -1));
  publisher =
      open({.endpoint = target.endpoint, .replay_endpoint = target.replay_endpoint, .topic = ""});
  publisher->publish(7, {});
  EXPECT_THAT(notes.first(4), ElementsAre(100, 101, -1, 107));
}

TEST(Subscriber, FollowsRanksApart) {
  const auto one = open();
  const auto two = open();
  one->publish(1, {});
  Notes notes;
  Subscriber subscriber(notes);
  subscriber.follow({following(1, *one)});
  ASSERT_THAT(notes.first(1), ElementsAre(101));
  two->publish(2, {});
  subscriber.follow({following(1, *one), following(2, *two)});
  ASSERT_THAT(notes.first(2), ElementsAre(101, 202));
  subscriber.follow({following(2, *two)});
  two->publish(3, {});
  EXPECT_THAT(notes.first(3, two.get()), ElementsAre(101, 202, 203));
}

TEST(Subscriber, TakesItsTopicOnly) {
  const auto other = open({.topic = "other"});
  const auto own = open({.topic = "kv@engine"});
  Notes notes;
  Subscriber subscriber(notes);
  auto first = following(1, *other);
  auto second = following(2, *own);
  first.topic = second.topic = "kv@";
  first.replay_endpoint.clear();
  subscriber.follow({first, second});
  for (int i = 0; i < 5; ++i) other->publish(1, {});
  own->publish(2, {});
  ASSERT_THAT(notes.first(1, own.get()), ElementsAre(202));
  other->publish(3, {});
  own->publish(99, {});
  EXPECT_THAT(notes.first(2, own.get()), ElementsAre(202, 299));
}

TEST(Subscriber, PortsOfRanksAreConsecutive) {
  EXPECT_EQ(endpoint_of_rank("tcp://host:5557", 0), "tcp://host:5557");
  EXPECT_EQ(endpoint_of_rank("tcp://host:5557", 2), "tcp://host:5559");
  EXPECT_EQ(endpoint_of_rank("tcp://[::1]:5557", 1), "tcp://[::1]:5558");
}

}  // namespace
}  // namespace signalbox::kv
