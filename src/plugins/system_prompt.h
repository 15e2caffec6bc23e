// system_prompt: gives the model the decision's own instructions.
#pragma once

#include "base/error.h"
#include "config/model.h"
#include "exchange/exchange.h"

namespace signalbox::plugins {

// Where the prompt goes:
//   chat completions  content of the first system or developer message; without one, a system message is put first
//   messages          `system`
//   responses         `instructions`
//   completions       in front of `prompt` with a blank line between, whatever the mode; only when that is one string
// kReplace puts the prompt in the place of the client's text, kInsert before and kAppend after it, a blank line between.
// A text may be a string or a list of parts; of parts, kInsert edits the first that has text and kAppend the last. What
// the client wrote stays byte for byte. Nothing is done when disabled or when the prompt is empty, and for other APIs.
// Sets edits.injected_system_prompt. Errors: kInvalidArgument when an edited key occurs twice.
Result<void> add_system_prompt(const config::SystemPromptPlugin& plugin,
                               const exchange::Request& request, exchange::Edits& edits);

}  // namespace signalbox::plugins
