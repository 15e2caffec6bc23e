#include "telemetry/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"

namespace signalbox::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const Registry& registry) {
  std::string out;
  registry.expose(out);
  return out;
}

TEST(Metrics, ACounterWithoutLabelsIsShownFromTheStart) {
  Registry registry;
  Counter& counter = registry.counter("things_total", "Things.");
  EXPECT_EQ(text_of(registry),
            "# HELP things_total Things.\n# TYPE things_total counter\nthings_total 0\n");
  counter.add(3);
  EXPECT_THAT(text_of(registry), HasSubstr("\nthings_total 3\n"));
}

TEST(Metrics, SeriesAreKeptApartByTheirLabelValues) {
  Registry registry;
  auto& family = registry.counters("errors_total", "Errors.", {"model", "reason"});
  family.with("a", "timeout").add();
  family.with("a", "reset").add(2);
  family.with("a", "timeout").add();
  const std::string text = text_of(registry);
  EXPECT_THAT(text, HasSubstr("errors_total{model=\"a\",reason=\"timeout\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("errors_total{model=\"a\",reason=\"reset\"} 2\n"));
  EXPECT_EQ(family.size(), 2U);
}

TEST(Metrics, LabelValuesAndHelpAreEscapedAndMadeValidUtf8) {
  Registry registry;
  auto& family = registry.gauges("g", "A \\ and\na line", {"name"});
  family.with("q\" b\\ n\n").set(1);
  family.with("ok \xc3\xa9 bad \xff\xed\xa0\x80").set(2);
  const std::string text = text_of(registry);
  EXPECT_THAT(text, HasSubstr("# HELP g A \\\\ and\\na line\n"));
  EXPECT_THAT(text, HasSubstr("g{name=\"q\\\" b\\\\ n?\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("g{name=\"ok \xc3\xa9 bad ????\"} 2\n"));
}

TEST(Metrics, AHistogramShowsCumulativeBucketsSumAndCount) {
  Registry registry;
  static constexpr std::array kBounds = {0.5, 1.0};
  auto& histogram = registry.histogram("h_seconds", "H.", kBounds);
  for (const double value : {0.25, 0.5, 0.75, 8.0}) histogram.observe(value);
  histogram.observe(std::numeric_limits<double>::quiet_NaN());
  EXPECT_THAT(text_of(registry), HasSubstr("h_seconds_bucket{le=\"0.5\"} 2\n"
                                           "h_seconds_bucket{le=\"1\"} 3\n"
                                           "h_seconds_bucket{le=\"+Inf\"} 4\n"
                                           "h_seconds_sum 9.5\n"
                                           "h_seconds_count 4\n"));
}

TEST(Metrics, ALabelThatKeepsGettingNewValuesEndsInOther) {
  Registry registry;
  auto& family = registry.counters("requests_total", "R.", {"model"});
  for (std::size_t i = 0; i < limits::kLabelValuesMax + 100; ++i)
    family.with(fmt::format("m{}", i)).add();
  EXPECT_EQ(family.with("other").value(), 100U);
  EXPECT_EQ(family.with("m0").value(), 1U);
  EXPECT_EQ(family.size(), limits::kLabelValuesMax + 1);
}

TEST(Metrics, LabelPairsAreBoundedToo) {
  Registry registry;
  auto& family = registry.counters("pairs_total", "P.", {"a", "b"});
  for (int i = 0; i < 200; ++i) {
    for (int j = 0; j < 200; ++j) family.with(fmt::format("{}", i), fmt::format("{}", j)).add();
  }
  EXPECT_LE(family.size(), limits::kMetricSeriesMax);
  EXPECT_GT(family.with("other", "other").value(), 0U);
}

TEST(Metrics, ALongLabelValueIsCutOnACharacterBoundary) {
  Registry registry;
  auto& family = registry.counters("c_total", "C.", {"v"});
  const std::string value = std::string(limits::kLabelValueBytesMax - 1, 'a') + "\xc3\xa9";
  family.with(value).add();
  family.with(value).add();
  EXPECT_THAT(text_of(registry),
              HasSubstr("{v=\"" + std::string(limits::kLabelValueBytesMax - 1, 'a') + "\"} 2\n"));
}

TEST(Metrics, ARemovedSeriesVanishesAndComesBackWithItsCount) {
  Registry registry;
  auto& family = registry.counters("c_total", "C.", {"server"});
  Counter& kept = family.with("http://a");
  kept.add(5);
  family.remove("http://a");
  EXPECT_THAT(text_of(registry), Not(HasSubstr("http://a")));
  kept.add();  // a handle of a request still under way
  EXPECT_THAT(text_of(registry), Not(HasSubstr("http://a")));
  EXPECT_EQ(family.with("http://a").value(), 6U);
  EXPECT_THAT(text_of(registry), HasSubstr("c_total{server=\"http://a\"} 6\n"));
}

TEST(Metrics, RemovedValuesMakeRoomForNewOnes) {
  Registry registry;
  auto& family = registry.gauges("g", "G.", {"server"});
  for (std::size_t i = 0; i < 4 * limits::kLabelValuesMax; ++i) {
    const std::string server = fmt::format("http://10.0.0.{}", i);
    family.with(server).set(1);
    family.remove(server);
  }
  family.with("http://new").set(7);
  EXPECT_THAT(text_of(registry), HasSubstr("g{server=\"http://new\"} 7\n"));
}

TEST(Metrics, ACallbackIsAskedAtEachScrapeAndMaySayNothing) {
  Registry registry;
  double value = 1;
  registry.callback("up", "U.", MetricType::kGauge, {"server"}, [&](SampleWriter& writer) {
    const std::array<std::string_view, 1> labels = {"a\"b"};
    if (value > 0) writer.sample(labels, value);
  });
  EXPECT_EQ(text_of(registry), "# HELP up U.\n# TYPE up gauge\nup{server=\"a\\\"b\"} 1\n");
  value = 0;
  EXPECT_EQ(text_of(registry), "");
}

TEST(Metrics, InFlightReturnsTheGaugeToZeroHoweverItEnds) {
  Gauge gauge;
  {
    InFlight first(gauge);
    InFlight second(std::move(first));
    InFlight third(gauge);
    third.release();
    EXPECT_EQ(gauge.value(), 1);
    second = InFlight(gauge);
    EXPECT_EQ(gauge.value(), 1);
  }
  EXPECT_EQ(gauge.value(), 0);
}

TEST(Metrics, ThreadsThatCreateAndCountTheSameSeriesLoseNothing) {
  Registry registry;
  auto& family = registry.counters("c_total", "C.", {"v"});
  constexpr int kThreads = 4;
  constexpr int kRounds = 2000;
  constexpr int kValues = 50;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) family.with(fmt::format("{}", i % kValues)).add();
    });
  }
  std::string scraped;
  registry.expose(scraped);
  threads.clear();
  std::uint64_t total = 0;
  for (int i = 0; i < kValues; ++i) total += family.with(fmt::format("{}", i)).value();
  EXPECT_EQ(total, static_cast<std::uint64_t>(kThreads) * kRounds);
}

}  // namespace
}  // namespace signalbox::telemetry
