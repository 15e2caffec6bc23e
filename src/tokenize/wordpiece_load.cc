// Reading a WordPiece tokenizer from a model directory.
#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "json/document.h"
#include "tokenize/wordpiece.h"

namespace signalbox::tokenize {
namespace {

Result<json::Document> parse(std::string_view text, const std::string& path) {
  auto document = json::Document::parse(text);
  if (!document) return fail(Code::kCorrupt, fmt::format("{}: {}", path, document.error().message));
  return document;
}

Result<bool> flag(json::Value object, std::string_view key, bool otherwise) {
  SBX_TRY(const auto found, object.find(key));
  if (!found) return otherwise;
  return found->boolean().value_or(otherwise);
}

// tokenizer_config.json: do_lower_case and tokenize_chinese_chars; the file is optional.
Result<WordPieceOptions> read_options(const std::string& path) {
  WordPieceOptions options;
  const auto text = read_file(path, limits::kTokenizerFileBytesMax);
  if (!text) return options;
  SBX_TRY(const auto document, parse(*text, path));
  SBX_TRY(options.lower_case, flag(document.root(), "do_lower_case", options.lower_case));
  SBX_TRY(options.split_ideographs,
          flag(document.root(), "tokenize_chinese_chars", options.split_ideographs));
  return options;
}

Result<json::Value> member(json::Value object, std::string_view key, const std::string& path) {
  SBX_TRY(const auto found, object.find(key));
  if (!found) return fail(Code::kCorrupt, fmt::format("{}: no \"{}\"", path, key));
  return *found;
}

Result<Vocabulary> read_tokenizer_json(const std::string& path) {
  SBX_TRY(const auto text, read_file(path, limits::kTokenizerFileBytesMax));
  SBX_TRY(const auto document, parse(text, path));
  SBX_TRY(const auto model, member(document.root(), "model", path));
  SBX_TRY(const auto type, model.find("type"));
  if (type && type->string() != "WordPiece") {
    return fail(Code::kUnsupported,
                fmt::format("{}: only WordPiece tokenizers are supported", path));
  }
  SBX_TRY(const auto vocabulary, member(model, "vocab", path));
  const auto members = vocabulary.members();
  std::vector<std::string> pieces(members.size());
  for (const auto& entry : members) {
    const auto id = entry.value.integer();
    if (!id || *id < 0 || static_cast<std::size_t>(*id) >= pieces.size()) {
      return fail(Code::kCorrupt,
                  fmt::format("{}: vocabulary ids are not 0..{}", path, pieces.size() - 1));
    }
    pieces[static_cast<std::size_t>(*id)] = entry.key.string();
  }
  return Vocabulary::from_pieces(std::move(pieces));
}

}  // namespace

Result<WordPiece> WordPiece::load(const std::string& directory) {
  SBX_TRY(const auto options, read_options(directory + "/tokenizer_config.json"));
  const auto lines = read_file(directory + "/vocab.txt", limits::kTokenizerFileBytesMax);
  if (lines) {
    SBX_TRY(auto vocabulary, Vocabulary::from_lines(*lines));
    return create(std::move(vocabulary), options);
  }
  SBX_TRY(auto vocabulary, read_tokenizer_json(directory + "/tokenizer.json"));
  return create(std::move(vocabulary), options);
}

}  // namespace signalbox::tokenize
