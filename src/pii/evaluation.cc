#include "pii/evaluation.h"

#include <algorithm>

namespace signalbox::pii {
namespace {

constexpr auto kLocation = static_cast<Label>(kTypes);

struct Alias {
  std::string_view name;
  Label label;
};
constexpr std::array kAliases{
    Alias{"LOCATION", kLocation},
    Alias{"LOC", kLocation},
    Alias{"ORG", label_of(Type::kOrganization)},
    Alias{"PER", label_of(Type::kPerson)},
    Alias{"NAME", label_of(Type::kPerson)},
    Alias{"DATE", label_of(Type::kDateTime)},
    Alias{"TIME", label_of(Type::kDateTime)},
    Alias{"EMAIL", label_of(Type::kEmailAddress)},
    Alias{"PHONE", label_of(Type::kPhoneNumber)},
    Alias{"SSN", label_of(Type::kUsSsn)},
    Alias{"IP", label_of(Type::kIpAddress)},
    Alias{"URL", label_of(Type::kDomainName)},
    Alias{"DOMAIN", label_of(Type::kDomainName)},
    Alias{"IBAN", label_of(Type::kIbanCode)},
    Alias{"CARD", label_of(Type::kCreditCard)},
    Alias{"CREDIT_CARD_NUMBER", label_of(Type::kCreditCard)},
    Alias{"ADDRESS", label_of(Type::kStreetAddress)},
    Alias{"ZIP", label_of(Type::kZipCode)},
    Alias{"DRIVER_LICENSE", label_of(Type::kUsDriverLicense)},
};

double share(std::size_t part, std::size_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

Counts total(const std::array<Counts, kLabels>& all) {
  Counts sum;
  for (const Counts& one : all) {
    sum.right += one.right;
    sum.wrong += one.wrong;
    sum.missed += one.missed;
  }
  return sum;
}

template <class Same>
void tally(const std::vector<Marked>& gold, const std::vector<Marked>& found, const Same& same,
           std::array<Counts, kLabels>& counts) {
  std::vector<bool> taken(gold.size(), false);
  for (const Marked& one : found) {
    std::size_t match = gold.size();
    for (std::size_t i = 0; i < gold.size() && match == gold.size(); ++i) {
      if (!taken[i] && gold[i].label == one.label && same(gold[i], one)) match = i;
    }
    Counts& count = counts[static_cast<std::size_t>(one.label)];
    if (match == gold.size()) {
      ++count.wrong;
    } else {
      taken[match] = true;
      ++count.right;
    }
  }
  for (std::size_t i = 0; i < gold.size(); ++i) {
    if (!taken[i]) ++counts[static_cast<std::size_t>(gold[i].label)].missed;
  }
}

}  // namespace

std::string_view label_name(Label label) {
  return label == kLocation ? "LOCATION" : type_name(static_cast<Type>(label));
}

std::optional<Label> parse_label(std::string_view name) {
  if (const auto type = parse_type(name)) return label_of(*type);
  const auto alias = std::ranges::find(kAliases, name, &Alias::name);
  if (alias == kAliases.end()) return std::nullopt;
  return alias->label;
}

double Counts::precision() const { return share(right, right + wrong); }
double Counts::recall() const { return share(right, right + missed); }
double Counts::f1() const { return share(2 * right, 2 * right + wrong + missed); }

void SpanScore::count_only(const std::vector<Label>& labels) {
  counted_.fill(false);
  for (const Label label : labels) counted_[static_cast<std::size_t>(label)] = true;
  limited_ = true;
}

Label SpanScore::as_counted(Label label) const {
  const bool place = label == label_of(Type::kGpe) || label == label_of(Type::kStreetAddress);
  return limited_ && place && counts(kLocation) && !counts(label) ? kLocation : label;
}

void SpanScore::add(const std::vector<Marked>& gold, const std::vector<Marked>& found) {
  const auto kept = [this](std::vector<Marked> spans) {
    for (Marked& span : spans) span.label = as_counted(span.label);
    std::erase_if(spans, [this](const Marked& span) { return !counts(span.label); });
    return spans;
  };
  const auto wanted = kept(gold), had = kept(found);
  tally(
      wanted, had,
      [](const Marked& a, const Marked& b) { return a.begin == b.begin && a.end == b.end; },
      exact_);
  tally(
      wanted, had,
      [](const Marked& a, const Marked& b) { return a.begin < b.end && b.begin < a.end; },
      overlap_);
}

Counts SpanScore::exact() const { return total(exact_); }
Counts SpanScore::overlap() const { return total(overlap_); }

}  // namespace signalbox::pii
