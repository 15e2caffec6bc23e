#include "encoder/number_format.h"

#include "base/environment.h"

namespace signalbox::encoder {
namespace {

using tensor::Precision;

constexpr const char* kVariable = "SIGNALBOX_ENCODER_PRECISION";

Result<std::optional<Precision>> from_environment() {
  const auto word = environment(kVariable);
  if (!word || word->empty()) return std::optional<Precision>();
  const auto precision = tensor::precision_of(*word);
  if (!precision)
    return fail(Code::kConfig, "must be fp32, bf16 or int8, not '" + *word + "'", kVariable);
  return precision;
}

}  // namespace

Result<tensor::Format> choose_format(std::optional<Precision> wanted) {
  if (!wanted) {
    SBX_TRY(wanted, from_environment());
  }
  tensor::Format format;
  const bool fast = format.dot != &tensor::scalar_dot_kernels();
  format.precision = wanted.value_or(fast ? Precision::kInt8 : Precision::kF32);
  if (format.precision == Precision::kBf16 && (!fast || !format.dot->has_bf16()))
    format.precision = Precision::kF32;
  return format;
}

}  // namespace signalbox::encoder
