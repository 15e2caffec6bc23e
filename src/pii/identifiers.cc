#include "pii/identifiers.h"

#include <array>
#include <utility>

#include "pii/fold.h"
#include "pii/scan.h"

namespace signalbox::pii {
namespace {

constexpr std::size_t kRanks = 4;

// What a check digit or a grammar proves goes before what only looks right.
std::size_t rank(Type type) {
  switch (type) {
    case Type::kIbanCode:
    case Type::kCreditCard:
    case Type::kEmailAddress:
      return 0;
    case Type::kUsSsn:
    case Type::kIpAddress:
    case Type::kDomainName:
      return 1;
    case Type::kUsDriverLicense:
    case Type::kZipCode:
    case Type::kAge:
      return 2;
    default:
      return 3;
  }
}

std::vector<Entity> find_in(std::string_view text) {
  std::vector<Entity> found;
  for (const NumberRun& run : find_number_runs(text, Separators::kAny)) find_cards(run, found);
  for (const NumberRun& run : find_number_runs(text)) {
    find_social_security_numbers(run, found);
    find_dates(run, found);
    find_phones(run, found);
  }
  find_ibans(text, found);
  find_ip_addresses(text, found);
  find_emails(text, found);
  find_domains(text, found);
  find_driver_licenses(text, found);
  find_zip_codes(text, found);
  find_ages(text, found);
  find_nationalities(text, found);
  find_spelled_numbers(text, found);
  std::array<std::vector<Entity>, kRanks> by_rank;
  for (const Entity& entity : found) by_rank[rank(entity.type)].push_back(entity);
  std::vector<Entity> kept;
  for (std::vector<Entity>& same : by_rank)
    kept = merge(std::move(kept), merge(std::move(same), {}));
  return kept;
}

}  // namespace

std::vector<Entity> find_identifiers(std::string_view text) {
  if (!needs_folding(text)) return find_in(text);
  const Folded folded = fold(text);
  std::vector<Entity> found = find_in(folded.text);
  for (Entity& entity : found) {
    entity.begin = folded.begins[entity.begin];
    entity.end = folded.ends[entity.end - 1];
  }
  return found;
}

}  // namespace signalbox::pii
