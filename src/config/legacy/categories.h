// The per-category generation: each category says which model answers it and with which prompt; there are no decisions.
//
// What becomes of a category `math`:
//  - a domain signal `math` (with its mmlu_categories, if any) and a decision `math_decision`, priority 10, whose rule is
//    that signal; the category `other` gets priority 1, so that every other match wins over it;
//  - its model_scores become the decision's models, highest score first: the first is used, the others stand in; lora_name,
//    use_reasoning and reasoning_effort go along;
//  - system_prompt, with system_prompt_enabled and system_prompt_mode (default replace), becomes the system_prompt plugin;
//    semantic_cache_enabled and its threshold become response_cache; pii_enabled and jailbreak_enabled become plugins of
//    these names.
// What becomes of `keyword_rules: [{category: thinking}]`: keyword signals of the category's name and a decision of
// priority 20, because in that generation keywords were looked at first and the classifier only when none matched. A
// category that the classifier cannot answer (its name is no label and it has no mmlu_categories) gets only the keyword
// decision, `thinking_decision`; one that is both gets `math_keyword_decision` beside `math_decision`. `embedding_rules`
// stand between them, priority 15, `math_embedding_decision`. Spaces in names become underscores. The flat generation's
// published file does the same by hand, with the same names and priorities.
#pragma once

#include "config/tables/reader.h"
#include "config/yaml/tree.h"

namespace signalbox::config {

// Takes categories, keyword_rules and embedding_rules out of `body` and adds routing.signals and routing.decisions.
void convert_categories(Node& body, Node& tree, Reader& reader);

}  // namespace signalbox::config
