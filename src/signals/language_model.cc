#include "signals/language_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "tokenize/unicode.h"

namespace signalbox::signals {
namespace {

static_assert(std::endian::native == std::endian::little, "model files are read as they lie");

constexpr std::string_view kMagic = "SBXLANG1";
constexpr std::size_t kFileBytesMax = 16 << 20;
constexpr std::uint32_t kGroupsMax = 16;
constexpr std::uint32_t kLabelsMax = 256;
constexpr std::uint32_t kFeaturesMax = 1 << 20;
constexpr std::uint32_t kBucketBits = 12;
constexpr std::size_t kNgramMax = 5;
constexpr std::size_t kBytesMax =
    64 * limits::kLanguageLettersMax;  // of a text that is mostly no letters
constexpr std::uint64_t kFnvBasis = 0xcbf29ce484222325ULL;
constexpr std::uint64_t kFnvPrime = 0x100000001b3ULL;

constexpr std::array<std::pair<std::string_view, Script>, 4> kModelledScripts = {{
    {"latin", Script::kLatin},
    {"cyrillic", Script::kCyrillic},
    {"arabic", Script::kArabic},
    {"devanagari", Script::kDevanagari},
}};

std::uint32_t fold_hash(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

// The language of scripts that only one of the known languages uses.
std::string_view only_language(Script script) {
  switch (script) {
    case Script::kGreek:
      return "el";
    case Script::kArmenian:
      return "hy";
    case Script::kHebrew:
      return "he";
    case Script::kBengali:
      return "bn";
    case Script::kGurmukhi:
      return "pa";
    case Script::kGujarati:
      return "gu";
    case Script::kTamil:
      return "ta";
    case Script::kTelugu:
      return "te";
    case Script::kThai:
      return "th";
    case Script::kGeorgian:
      return "ka";
    case Script::kKana:
      return "ja";
    case Script::kHan:
      return "zh";
    case Script::kHangul:
      return "ko";
    default:
      return {};
  }
}

// A character of these says about as much as three letters.
std::size_t letter_weight(Script script) {
  return script == Script::kHan || script == Script::kKana || script == Script::kHangul ? 3 : 1;
}

struct Majority {
  Script script = Script::kNone;
  float share = 0;  // of weighted letters
};

Majority main_script(const std::array<std::size_t, kScriptCount>& counts) {
  std::array<std::size_t, kScriptCount> weighted = counts;
  auto& han = weighted[static_cast<std::size_t>(Script::kHan)];
  auto& kana = weighted[static_cast<std::size_t>(Script::kKana)];
  // Japanese mixes both; a Chinese text holds no kana to speak of.
  if (kana * 5 > han + kana) kana += std::exchange(han, 0);
  weighted[0] = 0;
  std::size_t total = 0;
  for (const std::size_t count : weighted) total += count;
  const auto best = static_cast<std::size_t>(std::max_element(weighted.begin(), weighted.end()) -
                                             weighted.begin());
  if (total == 0) return {};
  return {static_cast<Script>(best),
          static_cast<float>(weighted[best]) / static_cast<float>(total)};
}

// Offset one past the code points judged, and the weighted letters of each script before it.
std::size_t survey(std::string_view text, std::array<std::size_t, kScriptCount>& counts) {
  std::size_t at = 0;
  for (std::size_t letters = 0; at < text.size() && letters < limits::kLanguageLettersMax;) {
    const tokenize::Decoded decoded = tokenize::decode_utf8(text.substr(at));
    at += decoded.bytes;
    const Script script = script_of(decoded.point);
    if (script == Script::kNone) continue;
    counts[static_cast<std::size_t>(script)] += letter_weight(script);
    ++letters;
  }
  return at;
}

// Words of one script in lower case, each between single spaces: " so it goes ".
std::string words_of(std::string_view text, Script script) {
  std::string words = " ";
  for (std::size_t at = 0; at < text.size();) {
    const tokenize::Decoded decoded = tokenize::decode_utf8(text.substr(at));
    at += decoded.bytes;
    if (script_of(decoded.point) == script) {
      tokenize::append_utf8(words, tokenize::lower(decoded.point));
    } else if (words.back() != ' ') {
      words.push_back(' ');
    }
  }
  if (words.back() != ' ') words.push_back(' ');
  return words;
}

// Calls found(hash) for every n-gram of 1 to kNgramMax code points that does not reach beyond its word and the one space
// on either side of it, and is not that space alone.
template <class Found>
void each_ngram(std::string_view words, Found found) {
  for (std::size_t start = 0; start < words.size(); ++start) {
    if ((static_cast<unsigned char>(words[start]) & 0xC0) == 0x80) continue;
    std::uint64_t hash = kFnvBasis;
    std::size_t at = start;
    for (std::size_t n = 1; n <= kNgramMax && at < words.size(); ++n) {
      const bool space = words[at] == ' ';
      do {
        hash = (hash ^ static_cast<unsigned char>(words[at])) * kFnvPrime;
        ++at;
      } while (at < words.size() && (static_cast<unsigned char>(words[at]) & 0xC0) == 0x80);
      if (space && n == 1) continue;
      found(fold_hash(hash));
      if (space) break;
    }
  }
}

}  // namespace

// Bounded little-endian reads; after a short read everything reads as zero and ok() is false.
class LanguageModel::Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T read() {
    T value{};
    read_into(&value, sizeof(T));
    return value;
  }
  template <class T>
  std::vector<T> read_many(std::size_t count) {
    std::vector<T> values;
    if (count > bytes_.size() / sizeof(T)) {
      ok_ = false;
      return values;
    }
    values.resize(count);
    read_into(values.data(), count * sizeof(T));
    return values;
  }
  std::string read_name(std::size_t width) {
    std::string name(width, '\0');
    read_into(name.data(), width);
    return name.substr(0, name.find('\0'));
  }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  void read_into(void* out, std::size_t size) {
    if (!ok_ || bytes_.size() < size) {
      ok_ = false;
      return;
    }
    if (size == 0) return;
    std::memcpy(out, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }
  std::string_view bytes_;
  bool ok_ = true;
};

std::uint32_t LanguageModel::feature_hash(std::string_view bytes) {
  std::uint64_t hash = kFnvBasis;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * kFnvPrime;
  return fold_hash(hash);
}

const std::int8_t* LanguageModel::Group::find(std::uint32_t hash) const {
  const std::uint32_t bucket = hash >> (32 - kBucketBits);
  for (std::uint32_t i = starts[bucket]; i < starts[bucket + 1]; ++i) {
    if (hashes[i] == hash) return &weights[i * labels.size()];
  }
  return nullptr;
}

Result<LanguageModel::Group> LanguageModel::parse_group(Reader& reader) {
  Group group;
  const std::string script = reader.read_name(16);
  for (const auto& [name, value] : kModelledScripts) {
    if (name == script) group.script = value;
  }
  const auto label_count = reader.read<std::uint32_t>();
  const auto feature_count = reader.read<std::uint32_t>();
  group.scale = reader.read<float>();
  group.offset = reader.read<float>();
  group.exponent = reader.read<float>();
  if (!reader.ok() || group.script == Script::kNone || label_count == 0 ||
      label_count > kLabelsMax || feature_count > kFeaturesMax || !(group.scale > 0) ||
      !(group.offset > 0) || !std::isfinite(group.scale) || !std::isfinite(group.offset) ||
      !std::isfinite(group.exponent)) {
    return fail(Code::kCorrupt, "language model: bad group header");
  }
  for (std::uint32_t i = 0; i < label_count; ++i) group.labels.push_back(reader.read_name(8));
  group.bias = reader.read_many<float>(label_count);
  group.hashes = reader.read_many<std::uint32_t>(feature_count);
  group.weights = reader.read_many<std::int8_t>(std::size_t{feature_count} * label_count);
  const bool finite = std::all_of(group.bias.begin(), group.bias.end(),
                                  [](float bias) { return std::isfinite(bias); });
  if (!reader.ok() || !finite || !std::is_sorted(group.hashes.begin(), group.hashes.end())) {
    return fail(Code::kCorrupt, "language model: truncated or unordered features");
  }
  for (std::uint32_t bucket = 0; bucket <= 1U << kBucketBits; ++bucket) {
    const std::uint64_t first = std::uint64_t{bucket} << (32 - kBucketBits);
    const auto at = std::lower_bound(group.hashes.begin(), group.hashes.end(), first);
    group.starts.push_back(static_cast<std::uint32_t>(at - group.hashes.begin()));
  }
  return group;
}

Result<LanguageModel> LanguageModel::parse(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return fail(Code::kCorrupt, "language model: not a model file");
  Reader reader(bytes.substr(kMagic.size()));
  const auto count = reader.read<std::uint32_t>();
  if (count == 0 || count > kGroupsMax)
    return fail(Code::kCorrupt, "language model: bad number of groups");
  LanguageModel model;
  for (std::uint32_t i = 0; i < count; ++i) {
    SBX_TRY(auto group, parse_group(reader));
    model.groups_.push_back(std::move(group));
  }
  if (!reader.at_end()) return fail(Code::kCorrupt, "language model: bytes after the last group");
  return model;
}

Result<LanguageModel> LanguageModel::load(const std::string& models_directory) {
  SBX_TRY(const std::string bytes,
          read_file(models_directory + "/language/model.bin", kFileBytesMax));
  return parse(bytes);
}

LanguageGuess LanguageModel::classify(const Group& group, std::string_view words,
                                      float share) const {
  std::array<std::int32_t, kLabelsMax> sums{};
  std::size_t found = 0;
  const std::size_t labels = group.labels.size();
  each_ngram(words, [&](std::uint32_t hash) {
    const std::int8_t* weights = group.find(hash);
    if (weights == nullptr) return;
    ++found;
    for (std::size_t i = 0; i < labels; ++i) sums[i] += weights[i];
  });
  const float factor =
      group.scale / std::pow(static_cast<float>(found) + group.offset, group.exponent);
  std::array<float, kLabelsMax> logits{};
  for (std::size_t i = 0; i < labels; ++i)
    logits[i] = factor * static_cast<float>(sums[i]) + group.bias[i];
  const auto best = static_cast<std::size_t>(
      std::max_element(logits.begin(), logits.begin() + labels) - logits.begin());
  float total = 0;
  for (std::size_t i = 0; i < labels; ++i) total += std::exp(logits[i] - logits[best]);
  return {group.labels[best], share / total};
}

LanguageGuess LanguageModel::detect(std::string_view text) const {
  text = text.substr(0, kBytesMax);
  std::array<std::size_t, kScriptCount> counts{};
  const std::size_t end = survey(text, counts);
  const Majority majority = main_script(counts);
  for (const Group& group : groups_) {
    if (group.script == majority.script) {
      return classify(group, words_of(text.substr(0, end), group.script), majority.share);
    }
  }
  const std::string_view only = only_language(majority.script);
  return only.empty() ? LanguageGuess{} : LanguageGuess{only, majority.share};
}

}  // namespace signalbox::signals
