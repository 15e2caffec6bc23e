#include "chat_template/template.h"

#include <charconv>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "chat_template/content_format.h"
#include "chat_template/interpreter.h"
#include "chat_template/syntax.h"
#include "json/utf8.h"

namespace signalbox::chat_template {
namespace {

constexpr std::size_t kFewMembers = 16;

Result<Value> number_from(json::Value json) {
  const std::string_view raw = json.raw();
  if (raw.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t whole = 0;
    const auto read = std::from_chars(raw.data(), raw.data() + raw.size(), whole);
    if (read.ec != std::errc()) return fail(Code::kUnsupported, "a number beyond 64 bits");
    return Value(whole);
  }
  const auto real = json.number();
  if (!real) return fail(Code::kUnsupported, "a number beyond 64 bits");
  return Value(*real);
}

// Of equal keys the last value counts, in the place of the first.
Result<Value> object_from(json::Value json) {
  Map map;
  std::unordered_map<std::string, std::size_t> places;
  const bool many = json.size() > kFewMembers;
  for (const auto& member : json.member_range()) {
    std::string key = member.key.string();
    SBX_TRY(auto value, from_json(member.value));
    if (!many) {
      map.set(key, std::move(value));
      continue;
    }
    const auto [at, fresh] = places.try_emplace(key, map.members.size());
    if (fresh) {
      map.members.emplace_back(std::move(key), std::move(value));
    } else {
      map.members[at->second].second = std::move(value);
    }
  }
  return Value(std::move(map));
}

}  // namespace

Result<std::shared_ptr<const Template>> Template::compile(std::string source) {
  if (!json::is_utf8(source)) return fail(Code::kCorrupt, "the template is not UTF-8");
  SBX_TRY(auto syntax, parse(source));
  auto shared = std::make_unique<const Syntax>(std::move(syntax));
  return std::shared_ptr<const Template>(
      std::unique_ptr<const Template>(new Template(std::move(source), std::move(shared))));
}

Template::Template(std::string source, std::unique_ptr<const Syntax> syntax)
    : source_(std::move(source)),
      syntax_(std::move(syntax)),
      format_(chat_template::content_format(*syntax_)) {}

Template::~Template() = default;

Result<std::string> Template::render(const Map& variables, std::chrono::seconds now) const {
  return Interpreter(*syntax_, variables, now).run();
}

Result<Value> from_json(json::Value json) {
  switch (json.type()) {
    case json::Type::kNull:
      return Value(None{});
    case json::Type::kTrue:
      return Value(true);
    case json::Type::kFalse:
      return Value(false);
    case json::Type::kNumber:
      return number_from(json);
    case json::Type::kString:
      return Value(json.string());
    case json::Type::kObject:
      return object_from(json);
    case json::Type::kArray:
      break;
  }
  List list;
  list.items.reserve(json.size());
  for (const json::Value element : json.element_range()) {
    SBX_TRY(auto value, from_json(element));
    list.items.push_back(std::move(value));
  }
  return Value(std::move(list));
}

}  // namespace signalbox::chat_template
