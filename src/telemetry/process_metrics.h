// What the operating system says about this process and its machine, read from /proc at each scrape (about 0.1 ms, no
// sleeping). Process names follow the Prometheus client guidelines; router_* are the machine figures that the production
// stack's dashboard draws.
#pragma once

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace signalbox::telemetry {

// Registers process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, process_start_time_seconds,
// router_cpu_usage_percent (since the scrape before), router_memory_usage_percent, router_disk_usage_percent (of "/").
// Values that cannot be read are left out.
void register_process_metrics(Registry& registry, const Clock& clock);

}  // namespace signalbox::telemetry
