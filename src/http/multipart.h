// Fields of a multipart/form-data body (RFC 7578), located by offset so that one value can be replaced while every other
// byte stays. Audio uploads name their model in such a form.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace signalbox::http {

struct FormField {
  std::string name;
  bool is_file = false;   // its part has a file name
  std::string file_name;  // as sent; empty where it is encoded (filename*)
  std::size_t begin = 0;  // of the value in the body
  std::size_t end = 0;    // one past it
};

// True for multipart/form-data with or without parameters.
bool is_form(std::string_view content_type);

// The fields of a form, in order. What readers of forms might understand differently is refused rather than guessed: a
// part without a plain name, names with escapes, a body that does not end in the closing boundary.
// Errors: kInvalidArgument. Cost: O(bytes), one search for the boundary per part.
Result<std::vector<FormField>> read_form(std::string_view content_type, std::string_view body);

}  // namespace signalbox::http
