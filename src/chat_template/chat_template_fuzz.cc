// A hostile template, and hostile messages for it: whatever compiles must end, within its bounds, in a text or an error of
// the codes that it names. The input is a template, a zero byte, and the JSON of the variables.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "chat_template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using signalbox::Code;
  namespace chat_template = signalbox::chat_template;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const auto compiled = chat_template::Template::compile(std::string(input.substr(0, cut)));
  if (!compiled) {
    const Code code = compiled.error().code;
    return code == Code::kCorrupt || code == Code::kUnsupported ? 0 : (std::abort(), 0);
  }
  chat_template::Map variables;
  const std::string json(input.substr(std::min(cut + 1, input.size())));
  const auto document = signalbox::json::Document::parse(json);
  if (document) {
    const auto given = chat_template::from_json(document->root());
    if (given && given->is_mapping()) variables = *given->map();
  }
  const auto text = (*compiled)->render(variables, std::chrono::seconds(1));
  if (text)
    return text->size() <= signalbox::limits::kTemplateOutputBytesMax ? 0 : (std::abort(), 0);
  const Code code = text.error().code;
  const bool named = code == Code::kInvalidArgument || code == Code::kUnsupported ||
                     code == Code::kPayloadTooLarge;
  return named ? 0 : (std::abort(), 0);
}
