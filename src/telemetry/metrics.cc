#include "telemetry/metrics.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/hash.h"
#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

constexpr std::string_view kOther = "other";
constexpr std::size_t kFirstTableSlots = 8;

std::uint64_t hash_labels(LabelValues labels) {
  std::uint64_t hash = 0;
  for (const auto value : labels) hash = hash64(value, hash);
  return hash;
}

// Source: Prometheus exposition_formats.md, "comments, help text, and type information".
void append_help_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out.push_back(',');
  out += name;
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   std::string_view labels, std::string_view more_labels, std::string_view value) {
  out += name;
  out += suffix;
  if (!labels.empty() || !more_labels.empty()) {
    out.push_back('{');
    out += labels;
    if (!labels.empty() && !more_labels.empty()) out.push_back(',');
    out += more_labels;
    out.push_back('}');
  }
  out.push_back(' ');
  out += value;
  out.push_back('\n');
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// Length of the UTF-8 sequence at `text[at]`, or 0 when there is none. Source: RFC 3629 section 4.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(at + 1);
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second > 0x9f;
  const bool too_large = lead == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

// Source: Prometheus data model; colons are allowed in metric names only.
bool valid_name(std::string_view name, bool colons) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colons && c == ':');
  });
}

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

class CallbackFamily final : public FamilyBase {
 public:
  CallbackFamily(std::string name, std::string help, MetricType type,
                 std::vector<std::string> label_names, std::function<void(SampleWriter&)> write)
      : FamilyBase(std::move(name), std::move(help), type, std::move(label_names)),
        write_(std::move(write)) {}
  void expose(std::string& out) const override {
    std::string lines;
    SampleWriter writer(lines, name(), label_names());
    write_(writer);
    if (lines.empty()) return;
    append_header(out);
    out += lines;
  }

 private:
  std::function<void(SampleWriter&)> write_;
};

}  // namespace

Histogram::Histogram(Buckets bounds)
    : bounds_(bounds), counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {
  SBX_ASSERT(std::ranges::is_sorted(bounds));
}

void Histogram::observe(double value) {
  if (std::isnan(value)) return;
  const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  counts_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) total += bucket(i);
  return total;
}

void append_cell(std::string& out, std::string_view name, std::string_view labels,
                 const Counter& cell) {
  append_sample(out, name, "", labels, "", fmt::to_string(cell.value()));
}

void append_cell(std::string& out, std::string_view name, std::string_view labels,
                 const Sum& cell) {
  append_sample(out, name, "", labels, "", number(cell.value()));
}

void append_cell(std::string& out, std::string_view name, std::string_view labels,
                 const Gauge& cell) {
  append_sample(out, name, "", labels, "", number(cell.value()));
}

void append_cell(std::string& out, std::string_view name, std::string_view labels,
                 const Histogram& cell) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= cell.bounds().size(); ++i) {
    total += cell.bucket(i);
    const std::string bound = i < cell.bounds().size() ? number(cell.bounds()[i]) : "+Inf";
    append_sample(out, name, "_bucket", labels, fmt::format("le=\"{}\"", bound),
                  fmt::to_string(total));
  }
  append_sample(out, name, "_sum", labels, "", number(cell.sum()));
  append_sample(out, name, "_count", labels, "", fmt::to_string(total));
}

void SampleWriter::sample(LabelValues labels, double value) {
  SBX_ASSERT(labels.size() == label_names_.size());
  std::string rendered;
  for (std::size_t i = 0; i < labels.size(); ++i)
    append_label(rendered, label_names_[i], label_value(labels[i]));
  append_sample(out_, name_, "", rendered, "", number(value));
}

std::string label_value(std::string_view value) {
  std::string out;
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t length = sequence_length(value, at);
    if (out.size() + std::max<std::size_t>(length, 1) > limits::kLabelValueBytesMax) break;
    const auto byte = static_cast<unsigned char>(value[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      out.push_back('?');
      at += 1;
    } else {
      out.append(value.substr(at, length));
      at += length;
    }
  }
  return out;
}

struct FamilyBase::Table {
  explicit Table(std::size_t slot_count)
      : mask(slot_count - 1), slots(std::make_unique<std::atomic<Series*>[]>(slot_count)) {}
  void put(Series& series) {
    std::size_t at = series.hash & mask;
    while (slots[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) & mask;
    slots[at].store(&series, std::memory_order_release);
  }
  std::size_t mask;
  std::unique_ptr<std::atomic<Series*>[]> slots;
};

FamilyBase::FamilyBase(std::string name, std::string help, MetricType type,
                       std::vector<std::string> label_names)
    : name_(std::move(name)),
      help_(std::move(help)),
      type_(type),
      label_names_(std::move(label_names)) {
  SBX_ASSERT(valid_name(name_, true));
  for (const auto& label : label_names_) SBX_ASSERT(valid_name(label, false));
  values_.resize(label_names_.size());
  tables_.push_back(std::make_unique<Table>(kFirstTableSlots));
  table_.store(tables_.back().get(), std::memory_order_release);
}

FamilyBase::~FamilyBase() = default;

std::unique_ptr<FamilyBase::Series> FamilyBase::make_series(std::vector<std::string>) const {
  SBX_ASSERT(false);
}

FamilyBase::Series* FamilyBase::find(std::uint64_t hash, LabelValues labels) const {
  const Table& table = *table_.load(std::memory_order_acquire);
  for (std::size_t at = hash & table.mask;; at = (at + 1) & table.mask) {
    Series* series = table.slots[at].load(std::memory_order_acquire);
    if (series == nullptr) return nullptr;
    if (series->hash == hash && std::ranges::equal(series->labels, labels)) return series;
  }
}

FamilyBase::Series& FamilyBase::series(LabelValues labels) {
  Series* found = find(hash_labels(labels), labels);
  if (found != nullptr && !found->hidden.load(std::memory_order_relaxed)) return *found;
  return add(labels);
}

FamilyBase::Series& FamilyBase::add(LabelValues labels) {
  std::vector<std::string> values;
  for (const auto label : labels) values.push_back(label_value(label));
  const std::lock_guard lock(mutex_);
  std::vector<std::string_view> views(values.begin(), values.end());
  for (std::size_t i = 0; i < views.size(); ++i) {
    const bool known = values_[i].contains(views[i]);
    if (!known && values_[i].size() >= limits::kLabelValuesMax) views[i] = kOther;
  }
  if (Series* found = find(hash_labels(views), views)) {
    show(*found);
    return *found;
  }
  // One place is kept for the series that counts all the rest.
  if (series_.size() + 1 >= limits::kMetricSeriesMax) std::ranges::fill(views, kOther);
  if (Series* found = find(hash_labels(views), views)) return *found;
  auto made = make_series({views.begin(), views.end()});
  made->hash = hash_labels(views);
  Series& reference = *made;
  count_values(reference, 1);
  insert(std::move(made));
  return reference;
}

void FamilyBase::insert(std::unique_ptr<Series> series) {
  Table* table = tables_.back().get();
  if ((series_.size() + 1) * 2 > table->mask + 1) {
    tables_.push_back(std::make_unique<Table>((table->mask + 1) * 2));
    table = tables_.back().get();
    for (const auto& old : series_) table->put(*old);
    table->put(*series);
    table_.store(table, std::memory_order_release);
  } else {
    table->put(*series);
  }
  series_.push_back(std::move(series));
}

void FamilyBase::count_values(const Series& series, int change) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const auto at = values_[i].try_emplace(series.labels[i], 0).first;
    at->second += change;
    if (at->second <= 0) values_[i].erase(at);
  }
}

void FamilyBase::show(Series& series) {
  if (!series.hidden.exchange(false, std::memory_order_relaxed)) return;
  count_values(series, 1);
}

std::vector<std::string> FamilyBase::first_values() const {
  SBX_ASSERT(!label_names_.empty());
  const std::lock_guard lock(mutex_);
  std::vector<std::string> shown;
  for (const auto& [value, count] : values_.front()) {
    if (value != kOther) shown.push_back(value);
  }
  return shown;
}

void FamilyBase::remove(std::string_view first_value) {
  SBX_ASSERT(!label_names_.empty());
  const std::lock_guard lock(mutex_);
  for (const auto& series : series_) {
    if (series->labels.front() != first_value) continue;
    if (!series->hidden.exchange(true, std::memory_order_relaxed)) count_values(*series, -1);
  }
}

std::size_t FamilyBase::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(
      series_, [](const auto& series) { return !series->hidden.load(std::memory_order_relaxed); }));
}

void FamilyBase::append_header(std::string& out) const {
  out += "# HELP " + name_ + " ";
  append_help_text(out, help_);
  fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", name_, type_name(type_));
}

void FamilyBase::expose(std::string& out) const {
  const std::lock_guard lock(mutex_);
  append_header(out);
  for (const auto& series : series_) {
    if (series->hidden.load(std::memory_order_relaxed)) continue;
    std::string labels;
    for (std::size_t i = 0; i < label_names_.size(); ++i)
      append_label(labels, label_names_[i], series->labels[i]);
    series->append(out, name_, labels);
  }
}

void Registry::callback(std::string name, std::string help, MetricType type,
                        std::vector<std::string> label_names,
                        std::function<void(SampleWriter&)> write) {
  SBX_ASSERT(type != MetricType::kHistogram);
  add(std::make_unique<CallbackFamily>(std::move(name), std::move(help), type,
                                       std::move(label_names), std::move(write)));
}

void Registry::add(std::unique_ptr<FamilyBase> family) {
  const std::lock_guard lock(mutex_);
  for (const auto& other : families_) SBX_ASSERT(other->name() != family->name());
  families_.push_back(std::move(family));
}

void Registry::expose(std::string& out) const {
  const std::lock_guard lock(mutex_);
  for (const auto& family : families_) family->expose(out);
}

}  // namespace signalbox::telemetry
