#include "encoder/head_meta.h"

#include <algorithm>

#include "base/limits.h"
#include "encoder/bert.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

std::unexpected<Error> damaged(std::string what, std::string detail = {}) {
  return fail(Code::kCorrupt, "a head's metadata: " + std::move(what), std::move(detail));
}

Result<json::Value> need(json::Value object, std::string_view key) {
  SBX_TRY(const auto found, object.find(key));
  if (!found) return damaged("a key is missing", std::string(key));
  return *found;
}

Result<double> number_in(json::Value value, std::string_view key, double low, double high) {
  const auto number = value.number();
  if (!number || !(*number >= low && *number <= high))
    return damaged("a number is out of range", std::string(key));
  return *number;
}

Result<double> need_number(json::Value object, std::string_view key, double low, double high) {
  SBX_TRY(const auto value, need(object, key));
  return number_in(value, key, low, high);
}

// Leaves `out` alone where the key is missing.
Result<void> maybe_number(json::Value object, std::string_view key, double low, double high,
                          double& out) {
  SBX_TRY(const auto found, object.find(key));
  if (!found) return {};
  SBX_TRY(out, number_in(*found, key, low, high));
  return {};
}

Result<void> read_labels(json::Value root, HeadMeta& meta) {
  SBX_TRY(const auto labels, need(root, "labels"));
  for (const json::Value label : labels.elements()) meta.labels.push_back(label.string());
  if (meta.labels.size() < 2 || meta.labels.size() > limits::kHeadLabelsMax)
    return damaged("too few or too many labels");
  SBX_TRY(const auto positive, root.find("positive"));
  if (!positive) return {};
  for (const json::Value label : positive->elements()) {
    const auto found = std::ranges::find(meta.labels, label.string());
    if (found == meta.labels.end()) return damaged("a positive label is no label");
    meta.positive.push_back(static_cast<std::size_t>(found - meta.labels.begin()));
  }
  if (meta.positive.empty() || meta.positive.size() >= meta.labels.size())
    return damaged("a detector needs positive and other labels");
  return {};
}

Result<void> read_states(json::Value root, std::size_t available, std::vector<std::size_t>& out) {
  SBX_TRY(const auto states, need(root, "states"));
  for (const json::Value state : states.elements()) {
    const auto index = state.integer();
    if (!index || *index < 0 || static_cast<std::size_t>(*index) >= available ||
        out.size() >= available) {
      return damaged("a hidden state is wanted that the base does not have");
    }
    out.push_back(static_cast<std::size_t>(*index));
  }
  if (out.empty()) return damaged("no hidden states");
  return {};
}

Result<void> read_adapted(json::Value root, std::size_t available, HeadMeta& meta) {
  SBX_TRY(const auto found, root.find("adapter"));
  if (!found) return {};
  AdaptedPart& part = meta.adapted;
  SBX_TRY(const auto name, need(*found, "name"));
  part.adapter = name.string();
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  if (part.adapter.empty() || !std::ranges::all_of(part.adapter, plain))
    return damaged("an adapter's name is not of lower case letters");  // it becomes a path
  SBX_TRY(const auto fingerprint, need(*found, "fingerprint"));
  part.fingerprint = fingerprint.string();
  SBX_CHECK_OK(read_states(*found, available, part.states));
  SBX_TRY(const double weight, need_number(*found, "weight", 0, 1));
  part.weight = static_cast<float>(weight);
  return {};
}

Result<void> read_segments(json::Value root, HeadMeta& meta) {
  SBX_TRY(const auto segments, root.find("segments"));
  if (!segments) return {};
  if (meta.positive.empty()) return damaged("only detectors judge stretches of a text");
  // An adapted pass has other states by the time that its heads are asked.
  if (!meta.adapted.adapter.empty())
    return damaged("a head on an adapter cannot judge stretches of a text");
  SBX_TRY(const double tokens,
          need_number(*segments, "tokens", 2 * kMeanBlock, limits::kEncoderTokensMax));
  SBX_TRY(const double odds, need_number(*segments, "odds", 0, 1));
  meta.segment_tokens = static_cast<std::size_t>(tokens);
  meta.segment_odds = static_cast<float>(odds);
  return {};
}

Result<void> read_words(json::Value root, HeadMeta& meta) {
  SBX_TRY(const auto words, root.find("words"));
  if (!words) return {};
  SBX_TRY(const double weight, need_number(*words, "weight", 0, 1));
  meta.words_weight = static_cast<float>(weight);
  return {};
}

Result<void> read_neighbours(json::Value root, HeadMeta& meta) {
  SBX_TRY(const auto neighbours, root.find("neighbours"));
  if (!neighbours) return {};
  SBX_TRY(const double nearest, need_number(*neighbours, "nearest", 0, 1000));
  SBX_TRY(const double sharpness, need_number(*neighbours, "sharpness", 0, 1000));
  SBX_TRY(const double weight, need_number(*neighbours, "weight", 0, 1));
  double slope = 0;
  SBX_CHECK_OK(maybe_number(root, "temperature_slope", -10, 10, slope));
  meta.temperature_slope = static_cast<float>(slope);
  meta.nearest = static_cast<std::size_t>(nearest);
  meta.sharpness = static_cast<float>(sharpness);
  meta.weight = static_cast<float>(weight);
  return {};
}

Result<void> read_isotonic(json::Value root, HeadMeta& meta) {
  SBX_TRY(const auto knots, root.find("isotonic"));
  if (!knots) return {};
  for (const json::Value knot : knots->elements()) {
    if (meta.isotonic.size() >= limits::kHeadKnotsMax) return damaged("too many isotonic knots");
    SBX_TRY(const double raw, need_number(knot, "raw", 0, 1));
    SBX_TRY(const double meant, need_number(knot, "meant", 0, 1));
    const std::pair made{static_cast<float>(raw), static_cast<float>(meant)};
    if (!meta.isotonic.empty() &&
        (made.first <= meta.isotonic.back().first || made.second < meta.isotonic.back().second)) {
      return damaged("the isotonic knots do not rise");
    }
    meta.isotonic.push_back(made);
  }
  if (!meta.isotonic.empty() && meta.positive.empty())
    return damaged("isotonic calibration is for detectors only");
  return {};
}

Result<void> read_points(json::Value root, HeadMeta& meta) {
  SBX_TRY(const auto points, root.find("operating_points"));
  if (!points) return {};
  for (const json::Value value : points->elements()) {
    if (meta.operating_points.size() >= limits::kHeadOperatingPointsMax)
      return damaged("too many operating points");
    SBX_TRY(const auto name, need(value, "name"));
    OperatingPoint point{.name = name.string()};
    SBX_TRY(point.threshold, need_number(value, "threshold", 0, 1));
    SBX_TRY(point.false_positive_rate, need_number(value, "fpr", 0, 1));
    SBX_TRY(point.true_positive_rate, need_number(value, "tpr", 0, 1));
    meta.operating_points.push_back(std::move(point));
  }
  return {};
}

// What both files may state.
Result<void> read_calibration(json::Value root, HeadMeta& meta) {
  double temperature = static_cast<double>(meta.temperature);
  SBX_CHECK_OK(maybe_number(root, "temperature", 0.01, 100, temperature));
  meta.temperature = static_cast<float>(temperature);
  SBX_CHECK_OK(maybe_number(root, "threshold", 0, 1, meta.threshold));
  SBX_TRY(const auto abstain, root.find("abstain"));
  if (!abstain) return {};
  SBX_TRY(meta.abstain_low, need_number(*abstain, "low", 0, 1));
  SBX_TRY(meta.abstain_high, need_number(*abstain, "high", meta.abstain_low, 1));
  return {};
}

}  // namespace

Result<HeadMeta> HeadMeta::parse(const std::string& text, const HeadBase& base) {
  const auto document = json::Document::parse(text);
  if (!document) return damaged(document.error().message);
  const json::Value root = document->root();
  SBX_TRY(const auto made_for, need(root, "base_fingerprint"));
  if (made_for.string() != base.fingerprint)
    return damaged("trained for other base weights; run its train/ command for these");
  HeadMeta meta;
  SBX_TRY(const auto version, need(root, "version"));
  meta.version = version.string();
  SBX_CHECK_OK(read_labels(root, meta));
  SBX_CHECK_OK(read_states(root, base.states, meta.states));
  SBX_CHECK_OK(read_adapted(root, base.states, meta));
  SBX_CHECK_OK(read_segments(root, meta));
  SBX_CHECK_OK(read_neighbours(root, meta));
  SBX_CHECK_OK(read_words(root, meta));
  SBX_CHECK_OK(read_isotonic(root, meta));
  SBX_CHECK_OK(read_points(root, meta));
  SBX_CHECK_OK(read_calibration(root, meta));
  SBX_TRY(const auto windows, root.find("windows"));
  const std::string pooling = windows ? windows->string() : "mean";
  if (pooling != "mean" && pooling != "max") return damaged("\"windows\" is neither mean nor max");
  if (pooling == "max") meta.windows = Windows::kHighestScore;
  return meta;
}

Result<void> HeadMeta::apply_calibration(const std::string& text) {
  const auto document = json::Document::parse(text);
  if (!document) return damaged(document.error().message);
  SBX_TRY(const auto made_for, need(document->root(), "version"));
  if (made_for.string() != version)
    return damaged("calibrated for another version; run `signalbox calibrate` again");
  HeadMeta changed = *this;
  SBX_CHECK_OK(read_calibration(document->root(), changed));
  *this = std::move(changed);
  return {};
}

}  // namespace signalbox::encoder
