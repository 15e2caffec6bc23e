#include "base/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

#include "base/text.h"

namespace signalbox {
namespace {

// Source: Linux Documentation/admin-guide/cgroup-v2.rst, cpu.max is "QUOTA PERIOD" or "max PERIOD" in microseconds.
double cgroup_quota_cores() {
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  std::string quota;
  std::string period;
  if (!(in >> quota >> period)) return 0;
  const auto quota_us = parse_double(quota);
  const auto period_us = parse_double(period);
  if (!quota_us || !period_us || *period_us <= 0) return 0;
  return *quota_us / *period_us;
}

}  // namespace

int CpuBudget::threads() const {
  const int by_quota = quota_cores > 0 ? static_cast<int>(std::ceil(quota_cores)) : cores;
  return std::max(1, std::min(cores, by_quota));
}

CpuBudget cpu_budget() {
  CpuBudget budget;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) budget.cores = std::max(1, CPU_COUNT(&set));
  budget.quota_cores = cgroup_quota_cores();
  return budget;
}

}  // namespace signalbox
