#include "encoder/hub/label_prompt.h"

#include <algorithm>

#include "base/limits.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

constexpr std::string_view kPlace = "{text}";

std::unexpected<Error> bad(const std::string& what) {
  return fail(Code::kCorrupt, "classifier.json: " + what);
}

Result<std::string> text_of(json::Value object, std::string_view key) {
  const auto found = object.find(key);
  if (!found || !*found || !(*found)->is_string())
    return bad("no text \"" + std::string(key) + "\"");
  return (*found)->string();
}

}  // namespace

Result<LabelPrompt> LabelPrompt::parse(std::string_view classifier_json,
                                       const tokenize::Tokenizer& tokenizer) {
  const auto document = json::Document::parse(classifier_json);
  if (!document) return bad(document.error().message);
  const json::Value root = document->root();
  SBX_TRY(const std::string prompt, text_of(root, "prompt"));
  const std::size_t place = prompt.find(kPlace);
  if (place == std::string::npos || prompt.find(kPlace, place + 1) != std::string::npos)
    return bad("the prompt must hold {text} once");
  LabelPrompt made;
  made.before = prompt.substr(0, place);
  made.behind = prompt.substr(place + kPlace.size());
  const auto labels = root.find("labels");
  if (!labels || !*labels || !(*labels)->is_array() || (*labels)->size() == 0 ||
      (*labels)->size() > limits::kClassifierLabelsMax)
    return bad("no labels, or too many");
  for (const json::Value label : (*labels)->element_range()) {
    SBX_TRY(std::string name, text_of(label, "name"));
    SBX_TRY(const std::string token, text_of(label, "token"));
    std::vector<std::int32_t> ids;
    tokenizer.tokenize(token, ids);
    if (ids.empty()) return bad("the token of label \"" + name + "\" is empty");
    if (std::ranges::find(made.tokens, ids.front()) != made.tokens.end())
      return bad("label \"" + name + "\" begins with the same token as another one");
    made.tokens.push_back(ids.front());
    made.names.push_back(std::move(name));
  }
  return made;
}

}  // namespace signalbox::encoder
