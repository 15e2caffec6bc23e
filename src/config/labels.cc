#include "config/labels.h"

#include <algorithm>

namespace signalbox::config {

bool is_domain_label(std::string_view name) {
  return std::ranges::find(kDomainLabels, name) != kDomainLabels.end();
}

}  // namespace signalbox::config
