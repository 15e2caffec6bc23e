#include "discovery/engine_metrics.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace signalbox::discovery {
namespace {

// A line of the page: name, what stands between the braces, value.
struct Sample {
  std::string_view name;
  std::string_view labels;
  double value = 0;
};

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

// Where the label part that begins at `open` ends; braces inside quoted values do not count.
std::size_t end_of_labels(std::string_view line, std::size_t open) {
  bool quoted = false;
  for (std::size_t i = open + 1; i < line.size(); ++i) {
    if (quoted && line[i] == '\\') {
      ++i;
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == '}' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

std::optional<Sample> read_line(std::string_view line) {
  if (line.empty() || line.front() == '#') return std::nullopt;
  Sample sample;
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return std::nullopt;
  sample.name = line.substr(0, name_end);
  std::size_t value_at = name_end;
  if (line[name_end] == '{') {
    const std::size_t close = end_of_labels(line, name_end);
    if (close == std::string_view::npos) return std::nullopt;
    sample.labels = line.substr(name_end + 1, close - name_end - 1);
    value_at = close + 1;
  }
  value_at = line.find_first_not_of(' ', value_at);
  if (value_at == std::string_view::npos) return std::nullopt;
  const auto value = number(line.substr(value_at));
  if (!value) return std::nullopt;
  sample.value = *value;
  return sample;
}

// The number in a label, quotes apart.
std::optional<double> label_number(std::string_view labels, std::string_view name) {
  for (std::size_t at = labels.find(name); at != std::string_view::npos;
       at = labels.find(name, at + 1)) {
    if (at > 0 && labels[at - 1] != ',') continue;  // the end of a longer name
    std::string_view rest = labels.substr(at + name.size());
    if (!rest.starts_with("=\"")) continue;
    return number(rest.substr(2));
  }
  return std::nullopt;
}

struct Mean {
  double sum = 0;
  int count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
};

void add_to(double& figure, double value) { figure = (figure < 0 ? 0 : figure) + value; }

}  // namespace

EngineFigures read_engine_figures(std::string_view page) {
  EngineFigures figures;
  Mean usage;
  Mean old_usage;
  while (!page.empty()) {
    const std::size_t end = page.find('\n');
    const auto sample = read_line(page.substr(0, end));
    page.remove_prefix(end == std::string_view::npos ? page.size() : end + 1);
    if (!sample || !sample->name.starts_with("vllm:")) continue;
    const std::string_view name = sample->name.substr(5);
    if (name == "num_requests_running") add_to(figures.running, sample->value);
    if (name == "num_requests_waiting") add_to(figures.waiting, sample->value);
    if (name == "kv_cache_usage_perc") usage.add(sample->value);
    if (name == "gpu_cache_usage_perc") old_usage.add(sample->value);
    if (name != "cache_config_info") continue;
    const auto block = label_number(sample->labels, "block_size");
    const auto blocks = label_number(sample->labels, "num_gpu_blocks");
    if (block && blocks) add_to(figures.cache_tokens, *block * *blocks);
  }
  const Mean& said = usage.count > 0 ? usage : old_usage;
  if (said.count > 0) figures.kv_usage = said.sum / said.count;
  return figures;
}

}  // namespace signalbox::discovery
