#include "pii/entity.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

namespace signalbox::pii {
namespace {

constexpr std::array<std::string_view, kTypes> kNames{
    "AGE",    "CREDIT_CARD",  "DATE_TIME",      "DOMAIN_NAME", "EMAIL_ADDRESS",
    "GPE",    "IBAN_CODE",    "IP_ADDRESS",     "NRP",         "ORGANIZATION",
    "PERSON", "PHONE_NUMBER", "STREET_ADDRESS", "TITLE",       "US_DRIVER_LICENSE",
    "US_SSN", "ZIP_CODE"};

bool overlap(const Entity& a, const Entity& b) { return a.begin < b.end && b.begin < a.end; }

// The model's entity around a rule's that says the same and more (a whole date, an address with its
// postal code or number) is the better one. `model` is disjoint and in text order.
bool swallowed(const Entity& rule, const std::vector<Entity>& model) {
  const auto after = std::ranges::upper_bound(model, rule.begin, {}, &Entity::begin);
  if (after == model.begin() || rule.end > (after - 1)->end) return false;
  const Type around = (after - 1)->type;
  const bool part = rule.type == Type::kZipCode || rule.type == Type::kPhoneNumber;
  return around == rule.type || (around == Type::kStreetAddress && part);
}

}  // namespace

std::string_view type_name(Type type) { return kNames[static_cast<std::size_t>(type)]; }

std::optional<Type> parse_type(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Type>(found - kNames.begin());
}

std::vector<Entity> merge(std::vector<Entity> rules, const std::vector<Entity>& model) {
  std::erase_if(rules, [&](const Entity& rule) { return swallowed(rule, model); });
  // Longest first, so that each later one can be dropped when its place is taken.
  std::ranges::sort(rules, [](const Entity& a, const Entity& b) {
    const std::size_t left = a.end - a.begin, right = b.end - b.begin;
    return left != right ? left > right : a.begin < b.begin;
  });
  // By their place; those kept are disjoint, so neighbours alone decide.
  std::map<std::size_t, Entity> kept;
  const auto place = [&](const Entity& entity) {
    const auto after = kept.lower_bound(entity.begin);
    if (after != kept.end() && overlap(after->second, entity)) return;
    if (after != kept.begin() && overlap(std::prev(after)->second, entity)) return;
    kept.emplace_hint(after, entity.begin, entity);
  };
  std::ranges::for_each(rules, place);
  std::ranges::for_each(model, place);
  std::vector<Entity> out;
  for (const auto& [begin, entity] : kept) out.push_back(entity);
  return out;
}

std::string mask(std::string_view text, const std::vector<Entity>& entities) {
  std::string out;
  std::size_t at = 0;
  for (const Entity& entity : entities) {
    out += text.substr(at, entity.begin - at);
    out += '[';
    out += type_name(entity.type);
    out += ']';
    at = entity.end;
  }
  out += text.substr(at);
  return out;
}

std::size_t CodePoints::before(std::size_t byte) {
  for (; byte_ < byte && byte_ < text_.size(); ++byte_) {
    points_ += (static_cast<unsigned char>(text_[byte_]) & 0xC0) != 0x80 ? 1 : 0;
  }
  return points_;
}

}  // namespace signalbox::pii
