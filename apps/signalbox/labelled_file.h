// Labelled rows of a JSON lines file, for eval and calibrate.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "base/error.h"
#include "json/document.h"

namespace signalbox::cli {

struct LineError {
  std::size_t line = 0;
  std::string message;
};

// A row of which the caller has read what it needs.
template <class Content>
struct Line {
  std::size_t number = 0;  // from 1
  Content content;
};

template <class Content>
struct LabelledFile {
  std::vector<Line<Content>> rows;
  std::vector<LineError> errors;  // lines that are no JSON object or lack what is needed
};

// `read` makes a row of a JSON object or says what is wrong with it. Empty lines are skipped.
template <class Content>
LabelledFile<Content> read_labelled(std::istream& in,
                                    const std::function<Result<Content>(json::Value)>& read) {
  LabelledFile<Content> file;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const auto document = json::Document::parse(line);
    auto row = document ? read(document->root()) : std::unexpected(document.error());
    if (row) {
      file.rows.push_back({number, std::move(*row)});
    } else {
      file.errors.push_back({number, row.error().message});
    }
  }
  return file;
}

// A member that must be a string. Errors: kInvalidArgument naming it.
Result<std::string> need_string(json::Value object, std::string_view key);
// {"line":..,"error":..} each, with commas.
std::string errors_json(const std::vector<LineError>& errors);

}  // namespace signalbox::cli
