#include "tokenize/tokenizer.h"

#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/limits.h"
#include "json/document.h"
#include "tokenize/fields.h"

namespace signalbox::tokenize {
namespace {

class WordPieceTokenizer final : public Tokenizer {
 public:
  explicit WordPieceTokenizer(WordPiece pieces)
      : Tokenizer({{pieces.cls()}, {pieces.sep()}}), pieces_(std::move(pieces)) {}
  void tokenize(std::string_view text, std::vector<std::int32_t>& ids,
                std::vector<WordSpan>* spans) const override {
    pieces_.tokenize(text, ids, spans);
  }
  std::int32_t size() const override { return pieces_.size(); }

 private:
  WordPiece pieces_;
};

Result<std::unique_ptr<const Tokenizer>> load_wordpiece(const std::string& directory) {
  SBX_TRY(auto pieces, WordPiece::load(directory));
  return std::make_unique<const WordPieceTokenizer>(std::move(pieces));
}

// "WordPiece", "BPE", ..; empty when the file does not say.
Result<std::string> model_type(std::string_view tokenizer_json) {
  const auto document = json::Document::parse(tokenizer_json);
  if (!document) return fail(Code::kCorrupt, document.error().message);
  SBX_TRY(const auto model, need_field(document->root(), "model"));
  return string_field(model, "type", "");
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> load_tokenizer(const std::string& directory) {
  const std::string path = directory + "/tokenizer.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return load_wordpiece(directory);
  const auto text = read_file(path, limits::kTokenizerFileBytesMax);
  if (!text) return std::unexpected(text.error());
  const auto type = model_type(*text);
  if (type && *type == "WordPiece") return load_wordpiece(directory);
  auto parsed = type ? parse_tokenizer(*text) : std::unexpected(type.error());
  if (!parsed) parsed.error().message = path + ": " + parsed.error().message;
  return parsed;
}

}  // namespace signalbox::tokenize
