// Reading members of tokenizer files. A member that is there with another type is kCorrupt, so that a
// misread option cannot quietly become its default.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "json/document.h"
#include "tokenize/pattern.h"

namespace signalbox::tokenize {

// Null counts as absent.
Result<std::optional<json::Value>> field(json::Value object, std::string_view key);
Result<json::Value> need_field(json::Value object, std::string_view key);
Result<bool> bool_field(json::Value object, std::string_view key, bool otherwise);
Result<std::string> string_field(json::Value object, std::string_view key,
                                 std::string_view otherwise);
// 0 .. max.
Result<std::int32_t> id_field(json::Value object, std::string_view key);
Result<std::int32_t> to_id(json::Value value);
// {"String": ..} or {"Regex": ..} under "pattern".
Result<Pattern> pattern_field(json::Value object);

}  // namespace signalbox::tokenize
