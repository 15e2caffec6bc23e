// POST /api/v1/classify/...: what the classifiers say about texts. Shapes of the reference system.
#pragma once

#include <string>

#include "pipeline/api_call.h"

namespace signalbox::pipeline {

// Each takes the parsed body's text from call.client.body and gives the JSON body of the answer.
// Errors: kInvalidArgument (param names the field), kUnavailable (no such classifier, or too slow),
// kOverloaded.

// {text | messages, options {return_probabilities, evaluate_all_signals}}: the domain, and where the
// request would go.
net::Task<Result<std::string>> classify_intent(ApiCall call);
// {text, options {entity_types, confidence_threshold, return_positions, mask_entities,
// reveal_entity_text}}. Works without an encoder too, by rules alone; "rung" says which it was.
net::Task<Result<std::string>> classify_pii(ApiCall call);
// {text, options {sensitivity}}: is it a jailbreak or an injection?
net::Task<Result<std::string>> classify_security(ApiCall call);
net::Task<Result<std::string>> classify_fact_check(ApiCall call);
net::Task<Result<std::string>> classify_user_feedback(ApiCall call);
// {text}: intent, pii and security from one pass.
net::Task<Result<std::string>> classify_combined(ApiCall call);
// {texts, task_type intent|pii|security|all}.
net::Task<Result<std::string>> classify_batch(ApiCall call);

}  // namespace signalbox::pipeline
