// Header fields in order of arrival. Names compare without case; values are kept as sent. Linear search: requests carry
// a dozen or two, and a flat vector beats a map there.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace signalbox::http {

class Headers {
 public:
  struct Field {
    std::string name;  // as sent
    std::string value;
  };

  void add(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
  }
  // Replaces all fields of that name by one.
  void set(std::string_view name, std::string value);
  // The same for every field of `others`, in their order.
  void set_all(Headers others);
  void reserve(std::size_t fields) { fields_.reserve(fields); }
  // Number of fields removed.
  std::size_t remove(std::string_view name);
  // First value of that name, or nullptr.
  const std::string* find(std::string_view name) const;
  // First value or empty.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::size_t count(std::string_view name) const;
  const std::vector<Field>& fields() const { return fields_; }
  void clear() { fields_.clear(); }
  // Drops every field for which `drop(const Field&)` is true.
  template <class Predicate>
  void remove_if(Predicate drop) {
    std::erase_if(fields_, drop);
  }

 private:
  std::vector<Field> fields_;
};

}  // namespace signalbox::http
