// Field tables: each option of the configuration is one row, and everything that knows about options (parser, validator,
// JSON schema, reference page) is made from the rows. A Schema is the rows of one struct; a row binds a key to a member.
// Rows of later releases are key-only: the key space is known, so that a typo is told from a feature that is not there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/tables/reader.h"

namespace signalbox::config {

enum class Type {
  kString,
  kSecret,  // never printed
  kBoolean,
  kInteger,
  kNumber,
  kDuration,  // "250ms", "5s", "2m"; a bare number is seconds
  kBytes,     // K, M, G are 1024s
  kTokens,    // K, M are 1000s
  kStringList,
  kStringLists,  // list of lists of words
  kStringMap,
  kStruct,
  kList,  // of structs
  kMap,   // name -> struct
  kOpen,  // any value, keys are the user's own
};

struct Range {
  double min = 0;
  double max = 0;
};

struct Schema;

struct Field {
  using Read = std::function<void(Reader&, const Field&, const Node&, void* object)>;

  std::string_view key;
  Type type = Type::kString;
  std::string_view doc;
  std::string_view unit;  // "seconds", "0..1"; empty: none
  std::optional<Range> bounds;
  std::vector<std::string_view> words;  // the only values allowed
  bool is_required = false;
  bool is_reloadable = true;  // false: a change needs a restart
  std::string feature;        // not empty: key of a later release, named so in the finding
  std::function<const Schema&()> nested;  // of kStruct, kList, kMap
  // kStruct whose keys depend on a sibling `type`: word -> rows; for the reference page and the JSON schema.
  std::function<std::vector<std::pair<std::string_view, const Schema*>>()> variants;
  bool is_opt_in = false;  // of a feature: off unless `enabled: true` stands in it
  Read read;               // checks and stores; object is nullptr for key-only rows
  std::function<std::string()> show_default;  // text of the default, may be empty

  Field range(double min, double max) && {
    bounds = {min, max};
    return std::move(*this);
  }
  Field one_of(std::vector<std::string_view> allowed) && {
    words = std::move(allowed);
    return std::move(*this);
  }
  Field required() && {
    is_required = true;
    return std::move(*this);
  }
  Field restart() && {
    is_reloadable = false;
    return std::move(*this);
  }
  Field in(std::string_view measure) && {
    unit = measure;
    return std::move(*this);
  }
  Field as(Type other) && {
    type = other;
    return std::move(*this);
  }
  Field later(std::string_view name) && {
    feature = name;
    return std::move(*this);
  }
  Field opt_in() && {
    is_opt_in = true;
    return std::move(*this);
  }
};

struct Schema {
  std::string_view name;  // heading of the reference page: "routing.decisions[]"
  std::vector<Field> fields;
  // Other spellings of keys, and keys of older generations that mean the same.
  std::vector<std::pair<std::string_view, std::string_view>> aliases;
  // Runs after the rows; for what concerns several keys of one map, and to keep the line.
  std::function<void(Reader&, const Node&, void* object)> after;

  const Field* find(std::string_view key) const;
  std::vector<std::string_view> keys() const;
  // Reads a map node into the struct the rows are bound to.
  void read(Reader& reader, const Node& node, void* object) const;
};

// Checks that hold for any row of that kind; they report and return false.
bool check_range(Reader& reader, const Field& field, const Node& node, double value);
bool check_word(Reader& reader, const Field& field, const Node& node, std::string_view value);

// Key-only rows: checks kinds and unknown keys below, stores nothing.
Field known_scalar(std::string_view key, Type type, std::string_view doc = {});
Field known_struct(std::string_view key, std::function<const Schema&()> nested,
                   std::string_view doc = {});
Field known_list(std::string_view key, std::function<const Schema&()> nested,
                 std::string_view doc = {});
Field known_map(std::string_view key, std::function<const Schema&()> nested,
                std::string_view doc = {});
Field known_open(std::string_view key, std::string_view doc = {});
// A nested map whose rows are bound to the same struct as this row's schema.
Field group(std::string_view key, std::function<const Schema&()> nested, std::string_view doc = {});

}  // namespace signalbox::config
