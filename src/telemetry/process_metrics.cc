#include "telemetry/process_metrics.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

namespace signalbox::telemetry {
namespace {

struct ProcessTimes {
  double cpu_seconds = 0;
  double resident_bytes = 0;
};

// Source: proc(5), /proc/[pid]/stat: fields 14 utime, 15 stime (clock ticks), 24 rss (pages). The name in field 2 may
// hold anything, so counting starts after its closing parenthesis.
std::optional<ProcessTimes> process_times() {
  std::ifstream in("/proc/self/stat");
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  double pages = 0;
  if (!(fields >> pages)) return std::nullopt;
  return ProcessTimes{(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK)),
                      pages * static_cast<double>(sysconf(_SC_PAGESIZE))};
}

std::optional<double> open_files() {
  std::error_code error;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return std::nullopt;
  return static_cast<double>(std::distance(begin(files), end(files)));
}

// Share of processor time not idle since the call before.
class MachineCpu {
 public:
  std::optional<double> percent() {
    std::ifstream in("/proc/stat");
    std::string word;
    if (!(in >> word) || word != "cpu") return std::nullopt;
    double total = 0;
    double idle = 0;
    double value = 0;
    // user nice system idle iowait irq softirq steal; source: proc(5).
    for (int i = 0; i < 8 && in >> value; ++i) {
      total += value;
      if (i == 3 || i == 4) idle += value;
    }
    // Two scrapes in one tick of the kernel's clock see the same; the first of all goes by the time since the machine began.
    if (total <= total_) return percent_;
    percent_ = 100.0 * (1.0 - (idle - idle_) / (total - total_));
    total_ = total;
    idle_ = idle;
    return percent_;
  }

 private:
  double total_ = 0;
  double idle_ = 0;
  std::optional<double> percent_;
};

std::optional<double> memory_percent() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  double total = 0;
  double available = 0;
  double value = 0;
  std::string unit;
  while (in >> key >> value) {
    std::getline(in, unit);
    if (key == "MemTotal:") total = value;
    if (key == "MemAvailable:") available = value;
  }
  if (total <= 0) return std::nullopt;
  return 100.0 * (1.0 - available / total);
}

std::optional<double> disk_percent() {
  struct statvfs info{};
  if (statvfs("/", &info) != 0 || info.f_blocks == 0) return std::nullopt;
  return 100.0 * (1.0 - static_cast<double>(info.f_bfree) / static_cast<double>(info.f_blocks));
}

void add(Registry& registry, const char* name, const char* help, MetricType type,
         std::move_only_function<std::optional<double>()> read) {
  auto shared = std::make_shared<std::move_only_function<std::optional<double>()>>(std::move(read));
  registry.callback(name, help, type, {}, [shared](SampleWriter& writer) {
    if (const auto value = (*shared)()) writer.sample({}, *value);
  });
}

}  // namespace

void register_process_metrics(Registry& registry, const Clock& clock) {
  using enum MetricType;
  add(registry, "process_cpu_seconds_total", "User and system CPU time.", kCounter, [] {
    const auto times = process_times();
    return times ? std::optional(times->cpu_seconds) : std::nullopt;
  });
  add(registry, "process_resident_memory_bytes", "Resident memory.", kGauge, [] {
    const auto times = process_times();
    return times ? std::optional(times->resident_bytes) : std::nullopt;
  });
  add(registry, "process_open_fds", "Open file descriptors.", kGauge, open_files);
  const double started = std::chrono::duration<double>(clock.unix_time()).count();
  add(registry, "process_start_time_seconds", "Start of the process, Unix time.", kGauge,
      [started] { return std::optional(started); });
  add(registry, "router_cpu_usage_percent",
      "Processor time of the machine not idle since the last scrape.", kGauge,
      [cpu = std::make_shared<MachineCpu>()] { return cpu->percent(); });
  add(registry, "router_memory_usage_percent", "Memory of the machine in use.", kGauge,
      memory_percent);
  add(registry, "router_disk_usage_percent", "Space of / in use.", kGauge, disk_percent);
}

}  // namespace signalbox::telemetry
