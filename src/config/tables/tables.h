// The tables of the canonical document, one function per struct. document_schema() is the root: everything else is
// reached from it.
#pragma once

#include <string_view>

#include "config/tables/field.h"

namespace signalbox::config {

const Schema& document_schema();  // bound to Document

const Schema& providers_schema();   // Providers
const Schema& model_card_schema();  // Model, the card's rows
const Schema& lora_schema();        // Lora
const Schema& signals_schema();     // Signals
const Schema& predicate_schema();   // NumericPredicate
const Schema& decision_schema();    // Decision
const Schema& global_schema();      // GlobalDocument
const Schema& own_schema();         // Own

// A key-only schema by the name it has in known_keys.cc.
const Schema& known_schema(std::string_view name);
// Whether a schema is one of those: nothing in it has an effect in this release.
bool is_known_schema(const Schema& schema);

// The one name of a plugin that has several published spellings: semantic-cache is response_cache.
std::string_view plugin_type(std::string_view written);

// The leaf type of a key of routing.signals ("keywords" -> "keyword"), or nothing when the key is unknown.
std::string_view leaf_type_of(std::string_view signals_key);

}  // namespace signalbox::config
