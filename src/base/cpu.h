// How many threads this process may keep busy: affinity mask and cgroup quota, never the machine's core count.
#pragma once

namespace signalbox {

struct CpuBudget {
  int cores = 1;           // processors in the affinity mask
  double quota_cores = 0;  // cgroup v2 cpu.max as cores; 0 means no quota
  // Threads worth running: the smaller of both, at least 1.
  int threads() const;
};
CpuBudget cpu_budget();

}  // namespace signalbox
