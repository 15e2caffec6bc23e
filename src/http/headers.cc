#include "http/headers.h"

#include <algorithm>

#include "base/text.h"

namespace signalbox::http {

void Headers::set(std::string_view name, std::string value) {
  const auto first = std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) {
    return equal_ignore_case(field.name, name);
  });
  if (first == fields_.end()) {
    fields_.push_back({std::string(name), std::move(value)});
    return;
  }
  first->value = std::move(value);
  fields_.erase(
      std::remove_if(first + 1, fields_.end(),
                     [&](const Field& field) { return equal_ignore_case(field.name, name); }),
      fields_.end());
}

void Headers::set_all(Headers others) {
  for (Field& field : others.fields_) set(field.name, std::move(field.value));
}

std::size_t Headers::remove(std::string_view name) {
  return std::erase_if(fields_,
                       [&](const Field& field) { return equal_ignore_case(field.name, name); });
}

const std::string* Headers::find(std::string_view name) const {
  for (const auto& field : fields_) {
    if (equal_ignore_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

std::string_view Headers::get(std::string_view name) const {
  const std::string* value = find(name);
  return value == nullptr ? std::string_view{} : std::string_view(*value);
}

std::size_t Headers::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(),
                    [&](const Field& field) { return equal_ignore_case(field.name, name); }));
}

}  // namespace signalbox::http
