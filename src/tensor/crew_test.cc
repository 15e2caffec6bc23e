#include "tensor/crew.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace signalbox::tensor {
namespace {

// Each member adds to its own cell, waits, and reads all: nobody may be a round behind or ahead.
void count_in_step(std::size_t members, int spins) {
  Barrier barrier(members, spins);
  constexpr int kRounds = 300;
  std::vector<int> cells(members, 0);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < members; ++rank) {
    threads.emplace_back([&, rank] {
      for (int round = 1; round <= kRounds; ++round) {
        cells[rank] = round;
        barrier.arrive_and_wait();
        for (const int cell : cells) wrong += cell == round ? 0 : 1;
        barrier.arrive_and_wait();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Barrier, KeepsMembersInStepWhenTheySleep) { count_in_step(3, 0); }
TEST(Barrier, KeepsMembersInStepWhenTheySpin) { count_in_step(2, 2000); }
TEST(Barrier, LetsAMemberWithoutOthersPass) { count_in_step(1, 0); }

TEST(Barrier, ServesAnotherCrewAfterwards) {
  Barrier barrier(1, 0);
  barrier.arrive_and_wait();
  barrier.set_members(2);
  int written = 0;
  std::thread other([&] {
    written = 7;
    barrier.arrive_and_wait();
  });
  barrier.arrive_and_wait();
  EXPECT_EQ(written, 7);
  other.join();
}

}  // namespace
}  // namespace signalbox::tensor
