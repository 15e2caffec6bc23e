// Reads the few figures that routing needs from an engine's metrics page (Prometheus text format 0.0.4), under the names of
// vLLM's past and present versions. An engine that runs several cores (data parallelism) publishes each figure once for
// each: counts are added, usages averaged.
#pragma once

#include <string_view>

#include "discovery/engine_load.h"

namespace signalbox::discovery {

// What is not there, or is no number, stays negative. Never fails: a page of something else says nothing. O(bytes).
//   vllm:num_requests_running, vllm:num_requests_waiting
//   vllm:kv_cache_usage_perc, before 2025 vllm:gpu_cache_usage_perc; the newer one wins where both stand
//   vllm:cache_config_info{block_size="16",num_gpu_blocks="8192",...}
EngineFigures read_engine_figures(std::string_view page);

}  // namespace signalbox::discovery
