// Parse, edit, parse again. The text ends at the last byte 0xFF (which no JSON text holds); what follows chooses the edits.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "json/splice.h"

namespace {

using signalbox::json::Document;
using signalbox::json::Patch;
using signalbox::json::Value;

void collect(const Document& document, std::vector<Value>& out) {
  out.push_back(document.root());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Value value = out[i];
    for (const Value::Member& member : value.member_range()) {
      static_cast<void>(member.key.string());
      out.push_back(member.value);
    }
    for (const Value element : value.element_range()) out.push_back(element);
    static_cast<void>(value.string());
    static_cast<void>(value.integer());
    static_cast<void>(value.require_unique_keys());
  }
}

// Refused edits are as good as made ones: only what apply() gives is judged. Only scalars are put in, so that a text at
// the depth limit stays within it.
void edit(Patch& patch, Value value, std::uint8_t choice) {
  const std::string key = choice & 0x80 ? "model" : "k\"";
  const std::size_t index = value.size() == 0 ? 0 : choice % value.size();
  switch (choice % 6) {
    case 0:
      static_cast<void>(patch.replace(value, "0"));
      return;
    case 1:
      static_cast<void>(patch.set_member(value, key, "\"x\""));
      return;
    case 2:
      static_cast<void>(patch.remove_member(value, key));
      return;
    case 3:
      static_cast<void>(patch.insert_element(value, choice % (value.size() + 1), "null"));
      return;
    case 4:
      static_cast<void>(patch.remove_element(value, index));
      return;
    default:
      static_cast<void>(patch.remove_members_if(
          value, [choice](std::string_view name) { return name.size() % 2 == choice % 2; }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> choices;
  std::size_t text_size = size;
  for (std::size_t i = size; i-- > 0;) {
    if (data[i] != 0xFF) continue;
    choices = {data + i + 1, size - i - 1};
    text_size = i;
    break;
  }
  // Exactly as large as the text, so that the sanitizer sees a read past its end.
  const std::vector<char> buffer(data, data + text_size);
  const std::string_view text(buffer.data(), buffer.size());
  const auto document = Document::parse(text);
  if (!document) return 0;
  std::vector<Value> values;
  collect(*document, values);
  Patch patch;
  constexpr std::size_t kEditsMax = 16;
  for (std::size_t i = 0; i + 1 < choices.size() && i < 2 * kEditsMax; i += 2) {
    edit(patch, values[choices[i] % values.size()], choices[i + 1]);
  }
  const std::string result = patch.apply(text);
  SBX_ASSERT(result.size() == signalbox::json::EditedText(text, patch.edits()).size());
  SBX_ASSERT(Document::parse(result).has_value());
  SBX_ASSERT(!patch.empty() || result == text);
  const auto merged = Patch().merged(patch);
  SBX_ASSERT(merged.has_value() && merged->apply(text) == result);
  return 0;
}
