// Rows bound to members: row<&HttpDoor::port>("port", "TCP port.").range(1, 65535). The type of the member gives the type
// of the row, how it is read and how its default is shown. Included by the table files only.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>

#include "base/secret.h"
#include "config/model.h"
#include "config/tables/field.h"

namespace signalbox::config {

template <auto Member>
struct MemberOf;
template <class C, class T, T C::* Member>
struct MemberOf<Member> {
  using Class = C;
  using Value = T;
};

// Words of an enum: specialise with `static constexpr std::pair<std::string_view, E> kWords[]`.
template <class E>
struct EnumWords;

template <>
struct EnumWords<Strategy> {
  static constexpr std::pair<std::string_view, Strategy> kWords[] = {
      {"priority", Strategy::kPriority}, {"confidence", Strategy::kConfidence}};
};

template <>
struct EnumWords<HeadRule::Method> {
  using M = HeadRule::Method;
  static constexpr std::pair<std::string_view, M> kWords[] = {
      {"classifier", M::kClassifier}, {"contrastive", M::kContrastive}, {"hybrid", M::kHybrid}};
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Words = std::vector<std::string>;

template <class T>
constexpr Type type_of() {
  if constexpr (IsOptional<T>::value)
    return type_of<typename T::value_type>();
  else if constexpr (std::is_same_v<T, bool>)
    return Type::kBoolean;
  else if constexpr (std::is_integral_v<T>)
    return Type::kInteger;
  else if constexpr (std::is_floating_point_v<T>)
    return Type::kNumber;
  else if constexpr (std::is_same_v<T, milliseconds>)
    return Type::kDuration;
  else if constexpr (std::is_same_v<T, Secret>)
    return Type::kSecret;
  else if constexpr (std::is_same_v<T, Words>)
    return Type::kStringList;
  else if constexpr (std::is_same_v<T, std::vector<Words>>)
    return Type::kStringLists;
  else if constexpr (std::is_same_v<T, Pairs> ||
                     std::is_same_v<T, std::map<std::string, std::string>>)
    return Type::kStringMap;
  else
    return Type::kString;  // strings and enums
}

// Elements of a list of scalars; a single scalar counts as a list of one.
void read_words(Reader& reader, const Node& node, Words& out);
void read_pairs(Reader& reader, const Node& node, Pairs& out);
// A whole number with the suffixes that the row's type allows.
std::optional<std::int64_t> read_integer(Reader& reader, const Field& field, const Node& node);

template <class E>
  requires std::is_enum_v<E>
void read_enum(Reader& reader, const Field& field, const Node& node, E& out) {
  const auto text = reader.text(node);
  if (!text || !check_word(reader, field, node, *text)) return;
  for (const auto& [word, value] : EnumWords<E>::kWords) {
    if (std::ranges::equal(word, *text, [](char a, char b) { return (a | 0x20) == (b | 0x20); }))
      out = value;
  }
}

template <class T>
void read_value(Reader& reader, const Field& field, const Node& node, T& out) {
  if constexpr (IsOptional<T>::value) {
    typename T::value_type value{};
    read_value(reader, field, node, value);
    out = std::move(value);
  } else if constexpr (std::is_enum_v<T>) {
    read_enum(reader, field, node, out);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (const auto value = reader.boolean(node)) out = *value;
  } else if constexpr (std::is_integral_v<T>) {
    const auto value = read_integer(reader, field, node);
    if (value && !std::in_range<T>(*value)) {
      reader.error("out-of-range", node.mark, fmt::format("{} does not fit", node.scalar),
                   fmt::format("allowed is {} to {}", std::numeric_limits<T>::min(),
                               std::numeric_limits<T>::max()));
      return;
    }
    if (value && check_range(reader, field, node, static_cast<double>(*value)))
      out = static_cast<T>(*value);
  } else if constexpr (std::is_floating_point_v<T>) {
    const auto value = reader.number(node);
    if (value && check_range(reader, field, node, *value)) out = *value;
  } else if constexpr (std::is_same_v<T, milliseconds>) {
    const auto value = reader.duration_ms(node);
    if (value && check_range(reader, field, node, static_cast<double>(*value) / 1000))
      out = milliseconds(*value);
  } else if constexpr (std::is_same_v<T, Secret>) {
    if (auto value = reader.text(node)) out = Secret(*std::move(value));
  } else if constexpr (std::is_same_v<T, Words>) {
    read_words(reader, node, out);
  } else if constexpr (std::is_same_v<T, std::vector<Words>>) {
    if (!reader.expect_sequence(node)) return;
    for (const auto& item : node.items) read_words(reader, item, out.emplace_back());
  } else if constexpr (std::is_same_v<T, Pairs>) {
    read_pairs(reader, node, out);
  } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
    Pairs pairs;
    read_pairs(reader, node, pairs);
    out.insert(pairs.begin(), pairs.end());
  } else {
    auto value = reader.text(node);
    if (value && check_word(reader, field, node, *value)) out = *std::move(value);
  }
}

template <class T>
std::string show_value(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return value ? show_value(*value) : std::string();
  } else if constexpr (std::is_enum_v<T>) {
    for (const auto& [word, known] : EnumWords<T>::kWords) {
      if (known == value) return std::string(word);
    }
    return {};
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value == std::numeric_limits<T>::max() ? std::string() : fmt::format("{}", value);
  } else if constexpr (std::is_same_v<T, milliseconds>) {
    return value.count() % 1000 == 0 ? fmt::format("{}s", value.count() / 1000)
                                     : fmt::format("{}ms", value.count());
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, Words>) {
    std::string out;
    for (const auto& word : value) out += (out.empty() ? "" : ", ") + word;
    return out;
  } else {
    return {};
  }
}

template <auto Member>
Field row(std::string_view key, std::string_view doc = {}) {
  using C = typename MemberOf<Member>::Class;
  using T = typename MemberOf<Member>::Value;
  Field field;
  field.key = key;
  field.doc = doc;
  field.type = type_of<T>();
  if constexpr (std::is_enum_v<T>) {
    for (const auto& [word, value] : EnumWords<T>::kWords) field.words.push_back(word);
  }
  field.read = [](Reader& reader, const Field& self, const Node& node, void* object) {
    read_value(reader, self, node, static_cast<C*>(object)->*Member);
  };
  field.show_default = [] { return show_value(C{}.*Member); };
  return field;
}

// Structs that want to know their line have a member for it.
template <class T>
void keep_line(T& value, const Node& node) {
  if constexpr (requires { value.line; }) value.line = node.mark.line;
}

// A nested struct, or an optional one that its key brings into being.
template <auto Member>
Field child(std::string_view key, const Schema& (*nested)(), std::string_view doc = {}) {
  using C = typename MemberOf<Member>::Class;
  using T = typename MemberOf<Member>::Value;
  Field field = known_struct(key, nested, doc);
  field.read = [](Reader& reader, const Field& self, const Node& node, void* object) {
    auto& value = static_cast<C*>(object)->*Member;
    if constexpr (IsOptional<T>::value)
      self.nested().read(reader, node, &value.emplace());
    else
      self.nested().read(reader, node, &value);
  };
  return field;
}

// A list of structs.
template <auto Member>
Field list(std::string_view key, const Schema& (*nested)(), std::string_view doc = {}) {
  using C = typename MemberOf<Member>::Class;
  Field field = known_list(key, nested, doc);
  field.read = [](Reader& reader, const Field& self, const Node& node, void* object) {
    if (!reader.expect_sequence(node)) return;
    auto& values = static_cast<C*>(object)->*Member;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const Reader::Scope scope(reader, i, node.items[i]);
      auto& value = values.emplace_back();
      keep_line(value, node.items[i]);
      self.nested().read(reader, node.items[i], &value);
    }
  };
  return field;
}

// A map from names to structs.
template <auto Member>
Field map(std::string_view key, const Schema& (*nested)(), std::string_view doc = {}) {
  using C = typename MemberOf<Member>::Class;
  Field field = known_map(key, nested, doc);
  field.read = [](Reader& reader, const Field& self, const Node& node, void* object) {
    if (!reader.expect_map(node)) return;
    auto& values = static_cast<C*>(object)->*Member;
    for (const auto& entry : node.entries) {
      const Reader::Scope scope(reader, entry.key, entry.value);
      self.nested().read(reader, entry.value, &values[entry.key]);
    }
  };
  return field;
}

// The row of a member's struct as a row of the struct around it: into<&Document::own>(row<&Own::io_threads>(...)).
template <auto Member>
Field into(Field field) {
  using C = typename MemberOf<Member>::Class;
  field.read = [inner = std::move(field.read)](Reader& reader, const Field& self, const Node& node,
                                               void* object) {
    inner(reader, self, node, &(static_cast<C*>(object)->*Member));
  };
  return field;
}

// A key whose value needs more than one member or a check of its own.
template <class C, class F>
Field custom(std::string_view key, Type type, std::string_view doc, F read) {
  Field field;
  field.key = key;
  field.type = type;
  field.doc = doc;
  field.read = [read](Reader& reader, const Field& self, const Node& node, void* object) {
    read(reader, self, node, *static_cast<C*>(object));
  };
  return field;
}

}  // namespace signalbox::config
