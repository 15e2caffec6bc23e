// The words that templates may use. What is not listed stops a template from loading.
#pragma once

#include <string_view>

namespace signalbox::chat_template {

bool is_known_filter(std::string_view name);
bool is_known_test(std::string_view name);
// Functions that every template has.
bool is_known_function(std::string_view name);
// Methods of texts, dicts and lists that this implements.
bool is_known_method(std::string_view name);

enum class Owner : std::uint8_t { kText, kDict, kList };
// Does Python's type have a method of that name, whether it is implemented here or not? Attributes of that name are the
// method and not the member.
bool has_method(Owner owner, std::string_view name);

}  // namespace signalbox::chat_template
