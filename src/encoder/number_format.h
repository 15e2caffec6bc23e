// Which number format and kernels the base model runs in.
#pragma once

#include <optional>

#include "base/error.h"
#include "tensor/dense.h"

namespace signalbox::encoder {

// `wanted`, else what SIGNALBOX_ENCODER_PRECISION says (fp32, bf16 or int8), else the fastest of this
// CPU: int8, or fp32 where there are no fast kernels for int8. bf16 on a CPU without bf16 products
// becomes fp32. Errors: kConfig (another word in the variable).
Result<tensor::Format> choose_format(std::optional<tensor::Precision> wanted = std::nullopt);

}  // namespace signalbox::encoder
