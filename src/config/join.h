// The last step of loading: the document as written becomes the Config that the program works with.
#pragma once

#include "config/finding.h"
#include "config/tables/document.h"

namespace signalbox::config {

// Which of our own options the file gave itself, so that v0.3 keys that mean the same do not override them.
struct Given {
  bool http = false;
  bool total_timeout = false;
  bool user_id_header = false;
  bool user_groups_header = false;
};

// Cards and providers of one name become one Model; `global` and the first listener fill what our block left open.
Config join(Document document, Generation generation, const Given& given);

}  // namespace signalbox::config
