#include "upstream/waiting_room.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "net/testing/manual_loop.h"

namespace signalbox::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Room : public ::testing::Test {
 protected:
  Room() {
    settings.waiting_max = 3;
    settings.wait = seconds(10);
  }
  // A request that takes its place as soon as it may; what became of it stands in `log`.
  net::Task<void> visit(std::string model, std::string name, net::Cancellation* gone) {
    WaitingRoom::Visitor visitor(
        model, [this, model] { return running[model] < places_[model]; }, gone);
    const auto entered = co_await room.enter(std::move(visitor), &settings, Deadline::none());
    if (entered) {
      ++running[model];
      log += name + " ";
    } else {
      log += name + ":" + std::string(traits(entered.error().code).label) + " ";
    }
  }
  void come(const std::string& model, const std::string& name, net::Cancellation* gone = nullptr) {
    tasks.spawn(visit(model, name, gone));
  }
  void leave(const std::string& model) {
    --running[model];
    room.look();
  }
  std::string take_log() { return std::exchange(log, {}); }

  net_testing::ManualLoop loop;
  config::Queue settings;
  WaitingRoom room{loop};
  std::map<std::string, int> places_ = {{"m", 1}, {"n", 1}};
  std::map<std::string, int> running;
  std::string log;
  net::TaskGroup tasks{loop};
};

TEST_F(Room, WhoeverFindsAPlaceGoesInAtOnceAndOthersInOrder) {
  come("m", "a");
  come("m", "b");
  come("m", "c");
  EXPECT_EQ(take_log(), "a ");
  EXPECT_EQ(room.waiting(), 2u);
  leave("m");
  EXPECT_EQ(take_log(), "b ");
  leave("m");
  EXPECT_EQ(take_log(), "c ");
  EXPECT_EQ(room.waiting(), 0u);
}

TEST_F(Room, NobodyOvertakesThoseWhoWait) {
  come("m", "a");
  come("m", "b");
  places_["m"] = 2;  // free, but nobody has looked yet
  come("m", "c");
  EXPECT_EQ(take_log(), "a ");
  loop.advance(milliseconds(50));
  EXPECT_EQ(take_log(), "b ");
  leave("m");
  EXPECT_EQ(take_log(), "c ");
}

TEST_F(Room, ALongLineOfOneModelDoesNotHoldUpAnother) {
  come("m", "a");
  come("n", "x");
  come("m", "b");
  come("m", "c");
  come("n", "y");
  take_log();
  --running["m"];
  --running["n"];
  room.look();
  EXPECT_EQ(room.waiting(), 1u);
  EXPECT_TRUE(log == "b y " || log == "y b ") << log;
  leave("m");
}

TEST_F(Room, AFullLineRefusesAtOnceAndALongWaitEnds) {
  for (const char* name : {"a", "b", "c", "d", "e"}) come("m", name);
  EXPECT_EQ(take_log(), "a e:overloaded ");
  loop.advance(seconds(11));
  EXPECT_EQ(take_log(), "b:overloaded c:overloaded d:overloaded ");
  EXPECT_EQ(room.waiting(), 0u);
}

TEST_F(Room, AClientThatLeavesGivesUpItsPlace) {
  net::Cancellation gone;
  come("m", "a");
  come("m", "b", &gone);
  come("m", "c");
  gone.cancel();
  EXPECT_EQ(take_log(), "a b:cancelled ");
  leave("m");
  EXPECT_EQ(take_log(), "c ");
}

}  // namespace
}  // namespace signalbox::upstream
