#include "encoder/word_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/limits.h"

namespace signalbox::encoder {
namespace {

constexpr std::size_t kStem = 5;  // code points

// FNV-1a (Fowler, Noll, Vo), folded to 32 bits; train/ has the same.
class Hash {
 public:
  Hash& add(std::string_view bytes) {
    for (const char byte : bytes) {
      const char lower = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
      value_ = (value_ ^ static_cast<unsigned char>(lower)) * 0x100000001b3ULL;
    }
    return *this;
  }
  std::uint32_t folded() const { return static_cast<std::uint32_t>(value_ ^ (value_ >> 32)); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_mark(char c) { return c > ' ' && c < 0x7F && !in_word(c); }

// Where the code points of a word begin, and its end.
std::vector<std::size_t> starts_of(std::string_view word) {
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < word.size(); ++i)
    if ((static_cast<unsigned char>(word[i]) & 0xC0) != 0x80) starts.push_back(i);
  starts.push_back(word.size());
  return starts;
}

// Scripts without spaces, roughly: Chinese, Japanese, Korean.
bool is_cjk(std::string_view word) {
  const auto lead = static_cast<unsigned char>(word.front());
  return lead >= 0xE3 && lead <= 0xED;
}

// Calls found(word) for each word and each mark, as many as the limit allows.
template <class Found>
void split_words(std::string_view text, Found found) {
  std::size_t words = 0;
  for (std::size_t at = 0; at < text.size() && words < limits::kEncoderTokensMax;) {
    std::size_t end = at + 1;
    if (in_word(text[at])) {
      while (end < text.size() && in_word(text[end])) ++end;
    } else if (!is_mark(text[at])) {
      at = end;
      continue;
    }
    found(text.substr(at, end - at));
    ++words;
    at = end;
  }
}

}  // namespace

Result<WordModel> WordModel::read(const Safetensors& file, std::size_t labels) {
  WordModel model;
  const Tensor* weights = file.find("words.weights");
  const bool fits = weights != nullptr && weights->dtype == Dtype::kI8 &&
                    weights->shape.size() == 2 && weights->shape[1] == labels &&
                    std::has_single_bit(weights->shape[0]);
  if (!fits) return fail(Code::kCorrupt, "a head's table of words is damaged");
  model.buckets_ = weights->shape[0];
  const std::array<std::uint64_t, 1> by_label{labels}, by_bucket{model.buckets_};
  SBX_TRY(model.scales_, file.floats("words.scales", by_label));
  SBX_TRY(model.rarity_, file.floats("words.rarity", by_bucket));
  SBX_TRY(model.bias_, file.floats("words.bias", by_label));
  model.weights_.resize(weights->data.size());
  std::memcpy(model.weights_.data(), weights->data.data(), weights->data.size());
  return model;
}

std::vector<std::uint32_t> WordModel::features(std::string_view text) {
  std::vector<std::uint32_t> out;
  std::string_view previous = "^";
  split_words(text, [&](std::string_view word) {
    out.push_back(Hash().add(word).folded());
    out.push_back(Hash().add(previous).add(" ").add(word).folded());
    const auto starts = starts_of(word);
    if (is_cjk(word)) {
      for (std::size_t i = 0; i + 2 < starts.size(); ++i)
        out.push_back(
            Hash().add("c:").add(word.substr(starts[i], starts[i + 2] - starts[i])).folded());
    } else if (starts.size() - 1 > kStem) {
      out.push_back(Hash().add("p:").add(word.substr(0, starts[kStem])).folded());
    }
    previous = word;
  });
  return out;
}

std::vector<float> WordModel::classify(std::string_view text) const {
  auto found = features(text);
  for (std::uint32_t& feature : found) feature &= static_cast<std::uint32_t>(buckets_ - 1);
  std::ranges::sort(found);
  std::vector<float> sums(bias_.size(), 0.0f);
  float square = 0;
  for (std::size_t i = 0, end = 0; i < found.size(); i = end) {
    while (end < found.size() && found[end] == found[i]) ++end;
    const float value = (1 + std::log(static_cast<float>(end - i))) * rarity_[found[i]];
    square += value * value;
    const std::int8_t* row = &weights_[found[i] * sums.size()];
    for (std::size_t label = 0; label < sums.size(); ++label)
      sums[label] += value * static_cast<float>(row[label]);
  }
  const float norm = square > 0 ? 1 / std::sqrt(square) : 0;
  for (std::size_t label = 0; label < sums.size(); ++label)
    sums[label] = sums[label] * norm * scales_[label] + bias_[label];
  const float highest = std::ranges::max(sums);
  float total = 0;
  for (float& value : sums) total += value = std::exp(value - highest);
  for (float& value : sums) value /= total;
  return sums;
}

}  // namespace signalbox::encoder
