// Metrics in Prometheus text format 0.0.4, written here because counting sits on the hot path: one relaxed atomic
// operation per event on a cell that is found once and kept, or looked up by label values without a lock.
//
//   Registry registry;
//   auto& requests = registry.counters("llm_model_requests_total", "Requests by model.", {"model"});
//   Counter& math = requests.with("math-expert");   // keep it where it is used often
//   math.add();
//   registry.expose(text);
//
// A family never holds more than limits::kLabelValuesMax values of one label nor limits::kMetricSeriesMax series: what
// comes later is counted under the value "other". Cells live as long as the registry, so a kept reference never dangles.
// Everything here may be called from any thread; registration belongs to the start of the program.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"

namespace signalbox::telemetry {

// A count of whole things; only grows.
class alignas(64) Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A growing total that is not whole (money, seconds); exposed as a counter. Negative amounts are ignored.
class alignas(64) Sum {
 public:
  void add(double amount) {
    if (amount > 0) value_.fetch_add(amount, std::memory_order_relaxed);
  }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class alignas(64) Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Adds one to a gauge for as long as it lives, so that no early return leaves a request counted. Movable.
class InFlight {
 public:
  InFlight() = default;
  explicit InFlight(Gauge& gauge) : gauge_(&gauge) { gauge.add(1); }
  InFlight(InFlight&& other) noexcept : gauge_(std::exchange(other.gauge_, nullptr)) {}
  InFlight& operator=(InFlight&& other) noexcept {
    if (this != &other) {
      release();
      gauge_ = std::exchange(other.gauge_, nullptr);
    }
    return *this;
  }
  ~InFlight() { release(); }
  void release() {
    if (gauge_ != nullptr) std::exchange(gauge_, nullptr)->add(-1);
  }

 private:
  Gauge* gauge_ = nullptr;
};

// Upper bounds of buckets, ascending, without +Inf.
using Buckets = std::span<const double>;

// Distribution of observations. observe() is a search over at most some twenty bounds and two atomic additions.
class alignas(64) Histogram {
 public:
  explicit Histogram(Buckets bounds);
  void observe(double value);
  void observe(Duration value) { observe(seconds(value)); }
  std::uint64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }
  Buckets bounds() const { return bounds_; }
  // Observations at most bounds()[i] and above bounds()[i - 1]; i == bounds().size() is the rest.
  std::uint64_t bucket(std::size_t i) const { return counts_[i].load(std::memory_order_relaxed); }

 private:
  Buckets bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

// Bounds that fit what they measure; LLM answers take from milliseconds to ten minutes. Values in seconds.
namespace buckets {
inline constexpr std::array kTtft = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25, 0.5,
                                     1.0,   2.5,    5.0,   10.0, 20.0,  30.0, 60.0, 120.0};
inline constexpr std::array kCompletion = {0.005, 0.01, 0.025, 0.05, 0.1,  0.25,  0.5,   1.0,
                                           2.5,   5.0,  10.0,  30.0, 60.0, 120.0, 300.0, 600.0};
inline constexpr std::array kTpot = {0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05,
                                     0.075, 0.1,    0.15,  0.25, 0.5,   1.0,  2.5,  5.0};
inline constexpr std::array kRouting = {0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005,
                                        0.001,   0.0025,   0.005,   0.01,   0.025,   0.05,
                                        0.1,     0.25,     0.5,     1.0};
inline constexpr std::array kConfidence = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0};
inline constexpr std::array kTokens = {0.0,     8.0,     16.0,    32.0,    64.0,   128.0,
                                       256.0,   512.0,   1024.0,  2048.0,  4096.0, 8192.0,
                                       16384.0, 32768.0, 65536.0, 131072.0};
inline constexpr std::array kAge = {1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0};
// Buckets of vLLM production-stack's router for vllm:request_latency_seconds.
inline constexpr std::array kRouterLatency = {0.05, 0.1,  0.25, 0.5,  1.0,  2.5,
                                              5.0,  10.0, 30.0, 60.0, 120.0};
}  // namespace buckets

using LabelValues = std::span<const std::string_view>;

// A value as it is shown. It may come from a network: at most kLabelValueBytesMax bytes of valid UTF-8 without control
// characters.
std::string label_value(std::string_view value);

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

// Writes sample lines of one metric; handed to callbacks that know their values only when asked.
class SampleWriter {
 public:
  SampleWriter(std::string& out, std::string_view name, std::span<const std::string> label_names)
      : out_(out), name_(name), label_names_(label_names) {}
  // As many values as the metric has labels.
  void sample(LabelValues labels, double value);

 private:
  std::string& out_;
  std::string_view name_;
  std::span<const std::string> label_names_;
};

// One metric name with its label names and all its series. Lookup is lock-free; a new series takes a lock.
class FamilyBase {
 public:
  FamilyBase(std::string name, std::string help, MetricType type,
             std::vector<std::string> label_names);
  virtual ~FamilyBase();
  FamilyBase(const FamilyBase&) = delete;
  FamilyBase& operator=(const FamilyBase&) = delete;

  const std::string& name() const { return name_; }
  virtual void expose(std::string& out) const;
  // Series shown now.
  std::size_t size() const;
  // Values of the first label that are shown now, but for "other".
  std::vector<std::string> first_values() const;
  // Takes the series with that value of the first label out of the exposition (an engine is gone). Kept references stay
  // usable; with() shows a series again, its counts going on where they stopped. O(series).
  void remove(std::string_view first_value);

 protected:
  struct Series {
    explicit Series(std::vector<std::string> values) : labels(std::move(values)) {}
    virtual ~Series() = default;
    // Sample lines; `labels` is rendered without braces ("model=\"a\"").
    virtual void append(std::string& out, std::string_view name,
                        std::string_view rendered_labels) const = 0;
    std::vector<std::string> labels;
    std::uint64_t hash = 0;
    std::atomic<bool> hidden{false};
  };
  virtual std::unique_ptr<Series> make_series(std::vector<std::string> labels) const;
  // The series of these values, created if new and bounded as said above.
  Series& series(LabelValues labels);
  void append_header(std::string& out) const;
  std::span<const std::string> label_names() const { return label_names_; }

 private:
  struct Table;
  Series* find(std::uint64_t hash, LabelValues labels) const;
  Series& add(LabelValues labels);
  bool fits(LabelValues labels) const;
  void insert(std::unique_ptr<Series> series);
  void count_values(const Series& series, int change);
  void show(Series& series);

  const std::string name_;
  const std::string help_;
  const MetricType type_;
  const std::vector<std::string> label_names_;
  std::atomic<Table*> table_{nullptr};
  mutable std::mutex mutex_;  // guards what follows and every change of the table
  std::vector<std::unique_ptr<Table>>
      tables_;  // grown ones stay for readers; sizes double, so at most twice the last
  std::vector<std::unique_ptr<Series>> series_;
  std::vector<std::map<std::string, int, std::less<>>>
      values_;  // by label: value -> shown series that carry it
};

template <class Cell, std::size_t kLabels>
class Family final : public FamilyBase {
 public:
  Family(std::string name, std::string help, MetricType type, std::vector<std::string> label_names,
         Buckets bounds)
      : FamilyBase(std::move(name), std::move(help), type, std::move(label_names)),
        bounds_(bounds) {}

  // One value per label, in the order of registration. About 20 ns for values seen before.
  template <class... Values>
    requires(sizeof...(Values) == kLabels)
  Cell& with(const Values&... values) {
    const std::array<std::string_view, kLabels> labels = {std::string_view(values)...};
    return static_cast<SeriesOf&>(series(labels)).cell;
  }

 private:
  struct SeriesOf final : Series {
    SeriesOf(std::vector<std::string> values, Buckets bounds)
        : Series(std::move(values)), cell(make(bounds)) {}
    static Cell make([[maybe_unused]] Buckets bounds) {
      if constexpr (std::is_same_v<Cell, Histogram>) {
        return Cell(bounds);
      } else {
        return Cell();
      }
    }
    void append(std::string& out, std::string_view name,
                std::string_view rendered_labels) const override;
    Cell cell;
  };
  std::unique_ptr<Series> make_series(std::vector<std::string> labels) const override {
    return std::make_unique<SeriesOf>(std::move(labels), bounds_);
  }
  Buckets bounds_;
};

// Sample lines of one cell.
void append_cell(std::string& out, std::string_view name, std::string_view rendered_labels,
                 const Counter& cell);
void append_cell(std::string& out, std::string_view name, std::string_view rendered_labels,
                 const Sum& cell);
void append_cell(std::string& out, std::string_view name, std::string_view rendered_labels,
                 const Gauge& cell);
void append_cell(std::string& out, std::string_view name, std::string_view rendered_labels,
                 const Histogram& cell);

template <class Cell, std::size_t kLabels>
void Family<Cell, kLabels>::SeriesOf::append(std::string& out, std::string_view name,
                                             std::string_view rendered_labels) const {
  append_cell(out, name, rendered_labels, cell);
}

// All metrics of a process (or of one simulated engine). Names must be valid and registered once: both are invariants.
class Registry {
 public:
  using Names = const char* const;

  Counter& counter(std::string name, std::string help) {
    return family<Counter, 0>(std::move(name), std::move(help), MetricType::kCounter, {}).with();
  }
  Gauge& gauge(std::string name, std::string help) {
    return family<Gauge, 0>(std::move(name), std::move(help), MetricType::kGauge, {}).with();
  }
  Histogram& histogram(std::string name, std::string help, Buckets bounds) {
    return family<Histogram, 0>(std::move(name), std::move(help), MetricType::kHistogram, {},
                                bounds)
        .with();
  }
  template <std::size_t kLabels>
  Family<Counter, kLabels>& counters(std::string name, std::string help, Names (&labels)[kLabels]) {
    return family<Counter, kLabels>(std::move(name), std::move(help), MetricType::kCounter,
                                    as_strings(labels));
  }
  template <std::size_t kLabels>
  Family<Sum, kLabels>& sums(std::string name, std::string help, Names (&labels)[kLabels]) {
    return family<Sum, kLabels>(std::move(name), std::move(help), MetricType::kCounter,
                                as_strings(labels));
  }
  template <std::size_t kLabels>
  Family<Gauge, kLabels>& gauges(std::string name, std::string help, Names (&labels)[kLabels]) {
    return family<Gauge, kLabels>(std::move(name), std::move(help), MetricType::kGauge,
                                  as_strings(labels));
  }
  // `bounds` must outlive the registry (the constants above do).
  template <std::size_t kLabels>
  Family<Histogram, kLabels>& histograms(std::string name, std::string help,
                                         Names (&labels)[kLabels], Buckets bounds) {
    return family<Histogram, kLabels>(std::move(name), std::move(help), MetricType::kHistogram,
                                      as_strings(labels), bounds);
  }
  // Values asked for at each scrape, on the scraping thread. Nothing written means nothing shown.
  void callback(std::string name, std::string help, MetricType type,
                std::vector<std::string> label_names, std::function<void(SampleWriter&)> write);

  // Appends the whole exposition. O(series); no request waits for it except one that makes a new series.
  void expose(std::string& out) const;

 private:
  template <class Cell, std::size_t kLabels>
  Family<Cell, kLabels>& family(std::string name, std::string help, MetricType type,
                                std::vector<std::string> labels, Buckets bounds = {}) {
    auto made = std::make_unique<Family<Cell, kLabels>>(std::move(name), std::move(help), type,
                                                        std::move(labels), bounds);
    auto& reference = *made;
    add(std::move(made));
    return reference;
  }
  template <std::size_t kLabels>
  static std::vector<std::string> as_strings(Names (&labels)[kLabels]) {
    return std::vector<std::string>(labels, labels + kLabels);
  }
  void add(std::unique_ptr<FamilyBase> family);

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<FamilyBase>> families_;
};

// What an HTTP answer that carries the exposition says it is.
inline constexpr std::string_view kExpositionContentType =
    "text/plain; version=0.0.4; charset=utf-8";

}  // namespace signalbox::telemetry
