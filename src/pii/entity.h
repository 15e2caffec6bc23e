// A piece of personal data in a text: what it is, where it stands, and how sure we are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::pii {

// The types of the reference system's token classifier. TITLE is a form of address ("Dr."), GPE a
// country, city or other place, NRP a nationality, religion or political group.
enum class Type : std::uint8_t {
  kAge,
  kCreditCard,
  kDateTime,
  kDomainName,
  kEmailAddress,
  kGpe,
  kIbanCode,
  kIpAddress,
  kNrp,
  kOrganization,
  kPerson,
  kPhoneNumber,
  kStreetAddress,
  kTitle,
  kUsDriverLicense,
  kUsSsn,
  kZipCode,
};
inline constexpr std::size_t kTypes = 17;

// As it stands in configurations and API answers: "CREDIT_CARD".
std::string_view type_name(Type type);
std::optional<Type> parse_type(std::string_view name);

enum class Source : std::uint8_t { kRule, kModel };

struct Entity {
  std::size_t begin = 0;  // bytes of the text, end exclusive, never inside a UTF-8 sequence
  std::size_t end = 0;
  Type type = Type::kPerson;
  float confidence = 0;  // 0..1; of a rule, how often such a match is the real thing
  Source source = Source::kRule;
  bool operator==(const Entity&) const = default;
};

// Rules win over the model where they overlap, longer rules over shorter ones; but an entity of the
// model swallows a rule's of the same type, and a street address the postal code or number in it.
// `model` is in text order and without overlaps, and so is the result. O(n log n).
std::vector<Entity> merge(std::vector<Entity> rules, const std::vector<Entity>& model);

// The text with each entity replaced by its type in brackets: "call [PERSON]". Entities in text order.
std::string mask(std::string_view text, const std::vector<Entity>& entities);

// Turns ascending byte offsets into offsets of Unicode code points. O(bytes) over all calls.
class CodePoints {
 public:
  explicit CodePoints(std::string_view text) : text_(text) {}
  // Code points before `byte`. Each call's byte is at least that of the call before.
  std::size_t before(std::size_t byte);

 private:
  std::string_view text_;
  std::size_t byte_ = 0;
  std::size_t points_ = 0;
};

}  // namespace signalbox::pii
