// Whether a template wants the content of messages as text or as parts.
#pragma once

#include "chat_template/syntax.h"
#include "chat_template/template.h"

namespace signalbox::chat_template {

// Parts if a loop goes over `content` of something that loops over `messages` bind, or over a macro's parameter that is
// given it. The rule is vLLM's, so that messages are prepared as the engine prepares them. O(template * variables).
ContentFormat content_format(const Syntax& syntax);

}  // namespace signalbox::chat_template
