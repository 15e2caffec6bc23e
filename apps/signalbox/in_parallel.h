// Independent rows on all the processors this process may use.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/cpu.h"
#include "encoder/encoder.h"

namespace signalbox::cli {

// Calls work(index, workspace) for 0..count-1, each index once; each thread has a workspace of its own and takes the next
// index when it is done with one.
template <class Work>
void in_parallel(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto run = [&] {
    encoder::Workspace workspace;
    for (std::size_t i = next++; i < count; i = next++) work(i, workspace);
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < cpu_budget().threads(); ++i) threads.emplace_back(run);
}

}  // namespace signalbox::cli
