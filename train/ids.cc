// ids MODEL_DIR: reads JSON lines {"text": ...} on stdin, writes the token ids of each on a line
// of stdout.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "json/document.h"
#include "tokenize/tokenizer.h"

namespace signalbox {
namespace {

Result<void> run(const std::string& directory) {
  SBX_TRY(const auto tokenizer, tokenize::load_tokenizer(directory));
  std::vector<std::int32_t> ids;
  for (std::string line; std::getline(std::cin, line);) {
    SBX_TRY(const auto document, json::Document::parse(line));
    SBX_TRY(const auto text, document.root().find("text"));
    if (!text) return fail(Code::kInvalidArgument, "a line has no \"text\"");
    ids.clear();
    tokenizer->tokenize(text->string(), ids);
    fmt::print("{}\n", fmt::join(ids, " "));
  }
  return {};
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  const auto done =
      argc == 2 ? signalbox::run(argv[1])
                : signalbox::fail(signalbox::Code::kInvalidArgument, "usage: ids MODEL_DIR");
  if (done) return 0;
  fmt::print(stderr, "ids: {}\n", done.error().message);
  return 1;
}
