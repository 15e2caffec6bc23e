#include "upstream/local_tokenizers.h"

#include <utility>

#include "base/log.h"

namespace signalbox::upstream {

std::shared_ptr<const LocalTokenizers> load_tokenizers(const config::KvEvents& settings,
                                                       const LocalTokenizers* before,
                                                       telemetry::Instruments& instruments) {
  auto all = std::make_shared<LocalTokenizers>();
  if (!settings.enabled) return all;
  for (const auto& [model, directory] : settings.tokenizers) {
    if (before != nullptr) {
      const auto known = before->find(model);
      if (known != before->end() && known->second->directory == directory) {
        (*all)[model] = known->second;
        continue;
      }
    }
    instruments.local_tokenizer.with(model).set(0);
    auto loaded = prompt::PromptTokenizer::load(directory);
    if (!loaded) {
      log::warning(
          "{}: no tokenizer from {} ({}); its prompts are tokenised by its engines. "
          "signalbox_local_tokenizer is 0",
          model, directory, loaded.error().message);
      continue;
    }
    auto made = std::make_shared<LocalTokenizer>();
    made->directory = directory;
    made->tokenizer = *std::move(loaded);
    (*all)[model] = std::move(made);
  }
  return all;
}

}  // namespace signalbox::upstream
