// What a running process costs, from /proc: CPU time of all its threads, resident and proportional memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

namespace signalbox::bench {

// Nanoseconds on a CPU so far, summed over the threads of the processes (/proc/PID/task/*/schedstat).
inline std::uint64_t cpu_nanoseconds(std::span<const int> pids) {
  std::uint64_t sum = 0;
  for (const int pid : pids) {
    std::error_code error;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
      std::ifstream file(task.path() / "schedstat");
      std::uint64_t on_cpu = 0;
      if (file >> on_cpu) sum += on_cpu;
    }
  }
  return sum;
}

struct Memory {
  std::uint64_t resident_kib = 0;
  std::uint64_t proportional_kib = 0;  // shared pages divided among their users
};

inline Memory memory_of(std::span<const int> pids) {
  Memory sum;
  for (const int pid : pids) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    std::string word;
    while (file >> word) {
      std::uint64_t kib = 0;
      if (word == "Rss:" && file >> kib) sum.resident_kib += kib;
      if (word == "Pss:" && file >> kib) sum.proportional_kib += kib;
    }
  }
  return sum;
}

}  // namespace signalbox::bench
