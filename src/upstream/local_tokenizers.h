// Tokenizers of models, loaded from the folders of signalbox.kv_events.tokenizers, and which kinds of requests each may be
// used for: those for which every engine of the model was found to agree (upstream/agreement.h).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "config/own.h"
#include "prompt/prompt_tokenizer.h"
#include "telemetry/instruments.h"

namespace signalbox::upstream {

struct LocalTokenizer {
  std::string directory;
  std::shared_ptr<const prompt::PromptTokenizer> tokenizer;
  // Written by the agreement check, read by cores.
  std::atomic<prompt::Features> agreed{0};

  bool may_tokenize(prompt::Features features) const {
    return (features & ~agreed.load(std::memory_order_relaxed)) == 0;
  }
};
// By name of the providers entry. Immutable but for `agreed`.
using LocalTokenizers = std::map<std::string, std::shared_ptr<LocalTokenizer>, std::less<>>;

// Loads what the settings name; a folder that `before` (may be nullptr) has for the same model is taken over with what was
// found out about it. A folder that does not load is left out, and the log and the metric say so.
std::shared_ptr<const LocalTokenizers> load_tokenizers(const config::KvEvents& settings,
                                                       const LocalTokenizers* before,
                                                       telemetry::Instruments& instruments);

}  // namespace signalbox::upstream
