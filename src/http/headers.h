// Header fields in order of arrival. Names compare without case; values are kept as sent. Linear search: requests carry
// a dozen or two, and a flat vector beats a map there.
//
// All fields lie one after another in one string, each as it goes on the wire ("name: value\r\n"), so that taking over a
// head that was received, or copying its fields, is two copies of memory, and writing them one append each. Every field
// held is valid on the wire: what a name or a value must not contain never gets in. Pseudo-headers of HTTP/2 may be held,
// and are not written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::http {

class Headers {
 public:
  // Views into the Headers it came from; valid until those change.
  struct Field {
    std::string_view name;  // as sent
    std::string_view value;
    std::string_view line;  // both as on the wire, with CRLF
  };

  // Outer blanks of the value are dropped and its control characters become spaces; a name that is neither a
  // token nor a pseudo-header (":path") adds nothing.
  void add(std::string_view name, std::string_view value);
  // Where a field lies in the lines of a head: counted in bytes from their beginning.
  struct Place {
    std::uint32_t begin;
    std::uint32_t name_bytes;
    std::uint32_t value_begin;
    std::uint32_t value_bytes;
    std::uint32_t end;  // behind CRLF
  };
  // For a parser: takes the lines of a head, with room for so many fields and bytes more, and then each field by its place.
  // The parser has checked that names are tokens and values trimmed field values.
  void take(std::string_view lines, std::size_t fields, std::size_t bytes_more);
  void add_taken(const Place& place) { places_.push_back(place); }
  // Replaces all fields of that name by one.
  void set(std::string_view name, std::string_view value);
  // Room for fields of so many bytes, names, values and four more each.
  void reserve(std::size_t fields, std::size_t bytes);
  // Number of fields removed.
  std::size_t remove(std::string_view name);
  // First value of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  // First value or empty.
  std::string_view get(std::string_view name) const {
    return find(name).value_or(std::string_view{});
  }
  bool has(std::string_view name) const { return find(name).has_value(); }
  std::size_t count(std::string_view name) const;
  // Random access to Field.
  auto fields() const {
    return places_ | std::views::transform([this](const Place& place) { return field(place); });
  }
  // Bytes of all fields ever added, so at least those of the fields held.
  std::size_t bytes() const { return text_.size(); }
  void clear();
  // Drops every field for which `drop(const Field&)` is true.
  template <class Predicate>
  void remove_if(Predicate drop) {
    std::erase_if(places_, [&](const Place& place) { return drop(field(place)); });
  }

 private:
  Field field(const Place& place) const {
    const char* text = text_.data();
    return {{text + place.begin, place.name_bytes},
            {text + place.value_begin, place.value_bytes},
            {text + place.begin, place.end - place.begin}};
  }
  // Puts a line of checked parts at the end of text_.
  Place append(std::string_view name, std::string_view value);
  void set_checked(std::string_view name, std::string_view value);

  std::string text_;
  std::vector<Place> places_;
};

}  // namespace signalbox::http
