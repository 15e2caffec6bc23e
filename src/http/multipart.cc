#include "http/multipart.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "http/syntax.h"

namespace signalbox::http {
namespace {

constexpr std::string_view kFormType = "multipart/form-data";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kBoundaryBytesMax = 70;  // RFC 2046 section 5.1.1

std::unexpected<Error> malformed(std::string message) {
  return fail(Code::kInvalidArgument, "multipart body: " + std::move(message));
}

struct Parameter {
  std::string_view name;
  std::string_view value;  // without quotes
};

// Takes one `; name=value` off the front of `text`. Nothing when it has another shape, or a quoted value with a
// backslash, which readers unescape differently.
std::optional<Parameter> take_parameter(std::string_view& text) {
  text = trim(text);
  if (!text.starts_with(';')) return std::nullopt;
  text = trim(text.substr(1));
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !is_token(text.substr(0, equals))) return std::nullopt;
  Parameter found{.name = text.substr(0, equals), .value = {}};
  text.remove_prefix(equals + 1);
  if (text.starts_with('"')) {
    const std::size_t close = text.find('"', 1);
    if (close == std::string_view::npos) return std::nullopt;
    found.value = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    return found.value.contains('\\') ? std::nullopt : std::optional(found);
  }
  const std::size_t end = std::min(text.find(';'), text.size());
  found.value = trim(text.substr(0, end));
  text.remove_prefix(end);
  return is_token(found.value) ? std::optional(found) : std::nullopt;
}

Result<std::string_view> boundary_of(std::string_view content_type) {
  std::string_view rest =
      content_type.substr(std::min(content_type.find(';'), content_type.size()));
  std::optional<std::string_view> boundary;
  while (!trim(rest).empty()) {
    const auto parameter = take_parameter(rest);
    if (!parameter) return malformed("the Content-Type has a malformed parameter");
    if (!equal_ignore_case(parameter->name, "boundary")) continue;
    if (boundary) return malformed("the Content-Type names two boundaries");
    boundary = parameter->value;
  }
  if (!boundary || boundary->empty() || boundary->size() > kBoundaryBytesMax) {
    return malformed("the Content-Type names no usable boundary");
  }
  return *boundary;
}

// Reads the value of a Content-Disposition into `field`.
Result<void> read_disposition(std::string_view value, FormField& field) {
  std::string_view rest = value.substr(std::min(value.find(';'), value.size()));
  if (!equal_ignore_case(trim(value.substr(0, value.size() - rest.size())), "form-data")) {
    return malformed("a part is no form-data");
  }
  while (!trim(rest).empty()) {
    const auto parameter = take_parameter(rest);
    if (!parameter) return malformed("a part has a malformed Content-Disposition");
    const bool is_name = equal_ignore_case(parameter->name, "name");
    if (equal_ignore_case(parameter->name, "name*") || (is_name && !field.name.empty())) {
      return malformed("a part has two names");
    }
    if (is_name) field.name = parameter->value;
    if (parameter->name.size() >= 8 &&
        equal_ignore_case(parameter->name.substr(0, 8), "filename")) {
      field.is_file = true;
      if (parameter->name.size() == 8) field.file_name = parameter->value;
    }
  }
  return {};
}

Result<FormField> read_part_head(std::string_view head) {
  FormField field;
  bool seen = false;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find(kLineEnd), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + kLineEnd.size(), head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return malformed("a part has a malformed header");
    }
    if (!equal_ignore_case(line.substr(0, colon), "content-disposition")) continue;
    if (std::exchange(seen, true)) return malformed("a part has two Content-Dispositions");
    SBX_CHECK_OK(read_disposition(trim(line.substr(colon + 1)), field));
  }
  if (field.name.empty()) return malformed("a part has no name");
  return field;
}

// Reads parts of `body` by position.
class Parts {
 public:
  Parts(std::string_view body, std::string_view boundary)
      : body_(body), delimiter_(std::string(kLineEnd) + "--" + std::string(boundary)) {}

  // Goes past the first boundary, which may stand at the very beginning or after a preamble.
  Result<void> begin() {
    const std::string_view first = std::string_view(delimiter_).substr(kLineEnd.size());
    if (body_.starts_with(first)) {
      at_ = first.size();
      return end_of_boundary();
    }
    const std::size_t found = body_.find(delimiter_);
    if (found == std::string_view::npos) return malformed("the boundary does not occur");
    at_ = found + delimiter_.size();
    return end_of_boundary();
  }

  // Behind the closing boundary.
  bool done() const { return done_; }

  Result<FormField> next() {
    const std::size_t head = at_;
    const std::size_t empty_line =
        body_.substr(0, head + limits::kFormPartHeadBytesMax).find("\r\n\r\n", head);
    if (empty_line == std::string_view::npos) return malformed("a part's header does not end");
    SBX_TRY(FormField field, read_part_head(body_.substr(head, empty_line - head)));
    field.begin = empty_line + 4;
    // An empty value: its line end is the one that ends the header.
    const std::size_t end = body_.find(delimiter_, empty_line + kLineEnd.size());
    if (end == std::string_view::npos) return malformed("a part does not end");
    field.end = std::max(end, field.begin);
    at_ = end + delimiter_.size();
    SBX_CHECK_OK(end_of_boundary());
    return field;
  }

 private:
  // After a boundary comes a line end, spaces allowed before it, or "--" and the end of the form.
  Result<void> end_of_boundary() {
    if (body_.substr(at_).starts_with("--")) {
      done_ = true;
      return {};
    }
    while (at_ < body_.size() && (body_[at_] == ' ' || body_[at_] == '\t')) ++at_;
    if (!body_.substr(at_).starts_with(kLineEnd)) return malformed("a boundary line goes on");
    at_ += kLineEnd.size();
    return {};
  }

  std::string_view body_;
  std::string delimiter_;
  std::size_t at_ = 0;
  bool done_ = false;
};

}  // namespace

bool is_form(std::string_view content_type) {
  return equal_ignore_case(trim(content_type.substr(0, content_type.find(';'))), kFormType);
}

Result<std::vector<FormField>> read_form(std::string_view content_type, std::string_view body) {
  SBX_TRY(const std::string_view boundary, boundary_of(content_type));
  Parts parts(body, boundary);
  SBX_CHECK_OK(parts.begin());
  std::vector<FormField> fields;
  while (!parts.done()) {
    if (fields.size() == limits::kFormPartsMax) return malformed("it has too many parts");
    SBX_TRY(FormField field, parts.next());
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace signalbox::http
