#include "json/splice.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace signalbox::json {
namespace {

std::unexpected<Error> overlapping() {
  return fail(Code::kInvalidArgument, "overlapping edits of one JSON value");
}

std::unexpected<Error> not_a(std::string_view what) {
  return fail(Code::kInvalidArgument, "expected a JSON " + std::string(what));
}

}  // namespace

bool Patch::Container::is_edited() const {
  return !insertions.empty() || std::ranges::any_of(children, &Child::removed);
}

Patch::Container Patch::snapshot(Value value) {
  Container container{.begin = value.begin(), .end = value.end(), .is_object = value.is_object()};
  container.children.reserve(value.size());
  for (const Value::Member& member : value.member_range()) {
    container.children.push_back({member.key.begin(), member.value.begin(), member.value.end()});
  }
  for (const Value element : value.element_range()) {
    container.children.push_back({element.begin(), element.begin(), element.end()});
  }
  return container;
}

Patch::Container* Patch::find_container(std::size_t begin) {
  const auto found = std::ranges::find(containers_, begin, &Container::begin);
  return found == containers_.end() ? nullptr : &*found;
}

Result<Patch::Container*> Patch::open_container(Value value) {
  if (is_covered(value.begin(), value.end())) return overlapping();
  if (Container* known = find_container(value.begin())) return known;
  return &containers_.emplace_back(snapshot(value));
}

Result<Patch::Container*> Patch::open_container(const Container& like) {
  if (is_covered(like.begin, like.end)) return overlapping();
  if (Container* known = find_container(like.begin)) return known;
  Container& added = containers_.emplace_back(like);
  added.insertions.clear();
  for (Child& child : added.children) child.removed = false;
  return &added;
}

bool Patch::is_covered(std::size_t begin, std::size_t end) const {
  const auto covers = [&](const auto& range) { return range.begin <= begin && end <= range.end; };
  if (std::ranges::any_of(values_, covers)) return true;
  return std::ranges::any_of(containers_, [&](const Container& container) {
    return std::ranges::any_of(container.children,
                               [&](const Child& child) { return child.removed && covers(child); });
  });
}

bool Patch::is_edited_inside(std::size_t begin, std::size_t end) const {
  const auto inside = [&](const auto& range) { return begin <= range.begin && range.end <= end; };
  return std::ranges::any_of(values_, inside) ||
         std::ranges::any_of(containers_, [&](const Container& container) {
           return inside(container) && container.is_edited();
         });
}

bool Patch::covers(Value value) const { return is_covered(value.begin(), value.end()); }

Result<void> Patch::replace_range(std::size_t begin, std::size_t end, std::string with) {
  const auto same = [&](const Edit& edit) { return edit.begin == begin && edit.end == end; };
  if (const auto known = std::ranges::find_if(values_, same); known != values_.end()) {
    known->with = std::move(with);
    return {};
  }
  // A removed child comes back when its value is set.
  for (Container& container : containers_) {
    for (Child& child : container.children) {
      if (child.value == begin && child.end == end) child.removed = false;
    }
  }
  if (is_covered(begin, end) || is_edited_inside(begin, end)) return overlapping();
  values_.push_back({begin, end, std::move(with)});
  return {};
}

// A replaced value may be removed after all; edits inside it may not be lost.
bool Patch::is_removable(const Child& child) const {
  const auto same = [&](const Edit& edit) {
    return edit.begin == child.value && edit.end == child.end;
  };
  return child.removed || std::ranges::any_of(values_, same) ||
         !is_edited_inside(child.value, child.end);
}

void Patch::remove_child(Child& child) {
  child.removed = true;
  std::erase_if(values_, [&](const Edit& edit) {
    return edit.begin == child.value && edit.end == child.end;
  });
}

void Patch::insert(Container& container, Insertion insertion) {
  std::vector<Insertion>& all = container.insertions;
  if (container.is_object) {
    const auto known = std::ranges::find(all, insertion.key, &Insertion::key);
    if (known != all.end()) {
      known->text = std::move(insertion.text);
      return;
    }
  }
  const auto place = std::ranges::upper_bound(all, insertion.index, {}, &Insertion::index);
  all.insert(place, std::move(insertion));
}

// Between two surviving children stays exactly the text between the last removed one and its successor, so commas and
// spaces of the client survive; only where the first or last child goes must a comma go with it.
void Patch::lower(const Container& container, std::vector<Edit>& out) {
  const std::vector<Child>& children = container.children;
  auto insertion = container.insertions.begin();
  std::size_t next = 0;      // first child not dealt with
  std::size_t kept_end = 0;  // end of the last survivor, 0: none yet
  for (;;) {
    std::size_t kept = next;
    while (kept < children.size() && children[kept].removed) ++kept;
    if (kept == children.size()) break;
    Edit edit{children[next].begin, children[kept].begin, {}};
    for (; insertion != container.insertions.end() && insertion->index <= kept; ++insertion) {
      edit.with += insertion->text + ',';
    }
    if (edit.begin != edit.end || !edit.with.empty()) out.push_back(std::move(edit));
    kept_end = children[kept].end;
    next = kept + 1;
  }
  Edit tail;
  for (; insertion != container.insertions.end(); ++insertion) {
    if (kept_end != 0 || !tail.with.empty()) tail.with += ',';
    tail.with += insertion->text;
  }
  if (kept_end != 0) {
    tail.begin = kept_end;
  } else {
    tail.begin = children.empty() ? container.begin + 1 : children.front().begin;
  }
  tail.end = next < children.size() ? children.back().end : tail.begin;
  if (tail.begin != tail.end || !tail.with.empty()) out.push_back(std::move(tail));
}

void Patch::rebuild() {
  edits_ = values_;
  for (const Container& container : containers_) lower(container, edits_);
  // At equal begin an insertion goes before the replacement of the value it was put in front of.
  std::ranges::sort(edits_, {}, [](const Edit& edit) { return std::pair(edit.begin, edit.end); });
  for (std::size_t i = 1; i < edits_.size(); ++i) SBX_ASSERT(edits_[i - 1].end <= edits_[i].begin);
}

Result<void> Patch::replace(Value value, std::string raw_json) {
  SBX_CHECK_OK(replace_range(value.begin(), value.end(), std::move(raw_json)));
  rebuild();
  return {};
}

Result<void> Patch::set_member(Value object, std::string_view key, std::string raw_json) {
  if (!object.is_object()) return not_a("object");
  SBX_TRY(const std::optional<Value> present, object.find(key));
  if (present) return replace(*present, std::move(raw_json));
  SBX_TRY(Container * container, open_container(object));
  insert(*container, {0, std::string(key), quote(key) + ':' + raw_json});
  rebuild();
  return {};
}

Result<void> Patch::remove_member(Value object, std::string_view key) {
  if (!object.is_object()) return not_a("object");
  SBX_TRY(const std::optional<Value> present, object.find(key));
  if (present)
    return remove_members_if(object, [key](std::string_view name) { return name == key; });
  if (Container* known = find_container(object.begin())) {
    std::erase_if(known->insertions, [key](const Insertion& added) { return added.key == key; });
    rebuild();
  }
  return {};
}

Result<void> Patch::remove_members_if(Value object,
                                      const std::function<bool(std::string_view)>& drop) {
  if (!object.is_object()) return not_a("object");
  std::vector<std::size_t> dropped;
  std::string storage;
  std::size_t index = 0;
  for (const Value::Member& member : object.member_range()) {
    if (drop(member.key.string_view(storage))) {
      const Child child{member.key.begin(), member.value.begin(), member.value.end()};
      if (!is_removable(child)) return overlapping();
      dropped.push_back(index);
    }
    ++index;
  }
  if (dropped.empty()) return {};
  SBX_TRY(Container * container, open_container(object));
  for (const std::size_t i : dropped) remove_child(container->children[i]);
  rebuild();
  return {};
}

Result<void> Patch::insert_element(Value array, std::size_t index, std::string raw_json) {
  if (!array.is_array()) return not_a("array");
  if (index > array.size()) return fail(Code::kInvalidArgument, "array index past the end");
  SBX_TRY(Container * container, open_container(array));
  insert(*container, {index, {}, std::move(raw_json)});
  rebuild();
  return {};
}

Result<void> Patch::remove_element(Value array, std::size_t index) {
  if (!array.is_array()) return not_a("array");
  if (index >= array.size()) return fail(Code::kInvalidArgument, "array index past the end");
  SBX_TRY(Container * container, open_container(array));
  Child& child = container->children[index];
  if (!is_removable(child)) return overlapping();
  remove_child(child);
  rebuild();
  return {};
}

Result<Patch> Patch::merged(const Patch& later) const {
  Patch both = *this;
  for (const Container& theirs : later.containers_) {
    if (!theirs.is_edited()) continue;
    SBX_TRY(Container * ours, both.open_container(theirs));
    for (std::size_t i = 0; i < theirs.children.size(); ++i) {
      if (!theirs.children[i].removed) continue;
      if (!both.is_removable(ours->children[i])) return overlapping();
      both.remove_child(ours->children[i]);
    }
    for (const Insertion& insertion : theirs.insertions) insert(*ours, insertion);
  }
  for (const Edit& edit : later.values_) {
    SBX_CHECK_OK(both.replace_range(edit.begin, edit.end, edit.with));
  }
  both.rebuild();
  return both;
}

std::size_t EditedText::size() const {
  std::size_t size = text_.size();
  for (const Edit& edit : edits_) size = size - (edit.end - edit.begin) + edit.with.size();
  return size;
}

std::vector<std::string_view> EditedText::pieces() const {
  std::vector<std::string_view> pieces;
  pieces.reserve(2 * edits_.size() + 1);
  const auto add = [&](std::string_view piece) {
    if (!piece.empty()) pieces.push_back(piece);
  };
  std::size_t position = 0;
  for (const Edit& edit : edits_) {
    add(text_.substr(position, edit.begin - position));
    add(edit.with);
    position = edit.end;
  }
  add(text_.substr(position));
  return pieces;
}

std::string EditedText::str() const {
  std::string out;
  out.reserve(size());
  for (const std::string_view piece : pieces()) out.append(piece);
  return out;
}

}  // namespace signalbox::json
