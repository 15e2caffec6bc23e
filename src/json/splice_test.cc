#include "json/splice.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "json/random_json.h"

namespace signalbox::json {
namespace {

// ------------------------------------------------------------------------------------------------ by example

class Body {
 public:
  explicit Body(std::string text) : text_(std::move(text)), document_(*Document::parse(text_)) {}
  Value root() const { return document_.root(); }
  Value at(std::string_view key) const { return **root().find(key); }
  std::string with(const Patch& patch) const { return patch.apply(text_); }

 private:
  std::string text_;
  Document document_;
};

TEST(Patch, ReplacesOnlyTheValue) {
  const Body body(R"({ "a" : 1 , "model":"MoM" })");
  Patch patch;
  ASSERT_TRUE(patch.set_member(body.root(), "model", "\"math\""));
  EXPECT_EQ(body.with(patch), R"({ "a" : 1 , "model":"math" })");
}

TEST(EditedText, LiesInPiecesThatAreTheOriginalsOwnBytes) {
  const std::string text = R"({"model":"MoM","x":1})";
  const Body body(text);
  Patch patch;
  ASSERT_TRUE(patch.set_member(body.root(), "model", "\"math\""));
  EditedText first(text, patch.edits());
  const EditedText edited = std::move(first);
  const auto pieces = edited.pieces();
  ASSERT_EQ(pieces.size(), 3);
  EXPECT_EQ(pieces[0].data(), text.data());
  EXPECT_EQ(pieces[1], "\"math\"");
  EXPECT_EQ(pieces[2].data(), text.data() + text.find(",\"x\""));
  EXPECT_EQ(edited.str(), R"({"model":"math","x":1})");
  EXPECT_EQ(edited.size(), edited.str().size());
}

TEST(EditedText, HasNoEmptyPieces) {
  EXPECT_TRUE(EditedText("").pieces().empty());
  EXPECT_EQ(EditedText("ab", {{0, 1, ""}, {1, 2, "c"}}).pieces(),
            std::vector<std::string_view>{"c"});
}

TEST(Patch, NewMembersGoToTheFrontInOrderOfTheCalls) {
  const Body body(R"({ "a":1})");
  Patch patch;
  ASSERT_TRUE(patch.set_member(body.root(), "x", "2"));
  ASSERT_TRUE(patch.set_member(body.root(), "y\"", "[]"));
  EXPECT_EQ(body.with(patch), R"({ "x":2,"y\"":[],"a":1})");
}

TEST(Patch, NewMembersComposeInAnEmptyObject) {
  const Body body("{ }");
  Patch patch;
  ASSERT_TRUE(patch.set_member(body.root(), "x", "2"));
  ASSERT_TRUE(patch.set_member(body.root(), "y", "3"));
  EXPECT_EQ(body.with(patch), R"({"x":2,"y":3 })");
}

TEST(Patch, RemovingEveryMemberLeavesAnEmptyObject) {
  const Body body(R"({ "a":1, "b":2 ,"c":3 })");
  Patch patch;
  for (const char* key : {"b", "c", "a"}) ASSERT_TRUE(patch.remove_member(body.root(), key));
  EXPECT_EQ(body.with(patch), "{  }");
}

TEST(Patch, RemovalTakesTheCommaWithItWhereverTheMemberStands) {
  const Body body(R"({"a":1, "b":2, "c":3})");
  const auto without = [&](std::vector<std::string> keys) {
    Patch patch;
    for (const std::string& key : keys) EXPECT_TRUE(patch.remove_member(body.root(), key));
    return body.with(patch);
  };
  EXPECT_EQ(without({"a"}), R"({"b":2, "c":3})");
  EXPECT_EQ(without({"b"}), R"({"a":1, "c":3})");
  EXPECT_EQ(without({"c"}), R"({"a":1, "b":2})");
  EXPECT_EQ(without({"c", "b"}), R"({"a":1})");
  EXPECT_EQ(without({"a", "c"}), R"({"b":2})");
  EXPECT_EQ(without({"absent"}), R"({"a":1, "b":2, "c":3})");
}

TEST(Patch, InsertionAndRemovalInTheSameObjectShareTheirCommas) {
  const Body body(R"({"a":1})");
  Patch patch;
  ASSERT_TRUE(patch.remove_member(body.root(), "a"));
  ASSERT_TRUE(patch.set_member(body.root(), "x", "2"));
  EXPECT_EQ(body.with(patch), R"({"x":2})");
}

TEST(Patch, TheLaterEditOfTheSameMemberWins) {
  const Body body(R"({"a":1,"b":2})");
  Patch patch;
  ASSERT_TRUE(patch.remove_member(body.root(), "a"));
  ASSERT_TRUE(patch.set_member(body.root(), "a", "3"));
  ASSERT_TRUE(patch.set_member(body.root(), "b", "4"));
  ASSERT_TRUE(patch.remove_member(body.root(), "b"));
  ASSERT_TRUE(patch.set_member(body.root(), "x", "5"));
  ASSERT_TRUE(patch.set_member(body.root(), "x", "6"));
  EXPECT_EQ(body.with(patch), R"({"x":6,"a":3})");
  ASSERT_TRUE(patch.remove_member(body.root(), "x"));
  EXPECT_EQ(body.with(patch), R"({"a":3})");
}

TEST(Patch, ElementsAreInsertedAndRemovedByPosition) {
  const Body body(R"([1, 2, 3])");
  Patch patch;
  ASSERT_TRUE(patch.insert_element(body.root(), 0, "0"));
  ASSERT_TRUE(patch.insert_element(body.root(), 3, "4"));
  ASSERT_TRUE(patch.insert_element(body.root(), 3, "5"));
  ASSERT_TRUE(patch.remove_element(body.root(), 1));
  EXPECT_EQ(body.with(patch), "[0,1, 3,4,5]");
  EXPECT_FALSE(patch.insert_element(body.root(), 4, "9"));
  EXPECT_FALSE(patch.remove_element(body.root(), 3));
}

TEST(Patch, AnInsertionBeforeAReplacedElementComesFirst) {
  const Body body("[1]");
  Patch patch;
  ASSERT_TRUE(patch.replace(body.root().elements()[0], "2"));
  ASSERT_TRUE(patch.insert_element(body.root(), 0, "0"));
  EXPECT_EQ(body.with(patch), "[0,2]");
}

TEST(Patch, EditsInsideAReplacedOrRemovedValueAreRefusedAndChangeNothing) {
  const Body body(R"({"a":{"b":1}})");
  Patch patch;
  ASSERT_TRUE(patch.remove_member(body.root(), "a"));
  EXPECT_TRUE(patch.covers(body.at("a")));
  EXPECT_FALSE(patch.set_member(body.at("a"), "b", "2"));
  EXPECT_FALSE(patch.set_member(body.at("a"), "c", "2"));
  EXPECT_EQ(body.with(patch), "{}");
  Patch inner;
  ASSERT_TRUE(inner.set_member(body.at("a"), "c", "2"));
  EXPECT_FALSE(inner.remove_member(body.root(), "a"));
  EXPECT_FALSE(inner.set_member(body.root(), "a", "null"));
  EXPECT_EQ(body.with(inner), R"({"a":{"c":2,"b":1}})");
}

TEST(Patch, DuplicateKeysAreRefusedAlsoWhenOneIsEscaped) {
  const Body body(R"({"model":"a","mod\u0065l":"b"})");
  Patch patch;
  EXPECT_FALSE(patch.set_member(body.root(), "model", "1"));
  EXPECT_FALSE(patch.remove_member(body.root(), "model"));
  EXPECT_TRUE(patch.empty());
}

TEST(Patch, ManyMembersAreRemovedInOnePass) {
  const Body body(R"({"a":1,"b":2,"b":3,"c":4})");
  Patch patch;
  ASSERT_TRUE(patch.remove_members_if(body.root(), [](std::string_view key) { return key < "c"; }));
  EXPECT_EQ(body.with(patch), R"({"c":4})");
}

TEST(Patch, MergingAddsTheEditsOfTheLaterPatch) {
  const Body body(R"({"model":"MoM","n":5,"user":"u"})");
  Patch plugins;
  ASSERT_TRUE(plugins.set_member(body.root(), "n", "1"));
  ASSERT_TRUE(plugins.remove_member(body.root(), "user"));
  ASSERT_TRUE(plugins.set_member(body.root(), "x", "0"));
  Patch attempt;
  ASSERT_TRUE(attempt.set_member(body.root(), "model", "\"math\""));
  ASSERT_TRUE(attempt.set_member(body.root(), "y", "0"));
  ASSERT_TRUE(attempt.remove_member(body.root(), "n"));
  const auto both = plugins.merged(attempt);
  ASSERT_TRUE(both);
  EXPECT_EQ(body.with(*both), R"({"x":0,"y":0,"model":"math"})");
}

TEST(Patch, MergingRefusesAnEditInsideWhatTheOtherRemoved) {
  const Body body(R"({"a":{"b":1}})");
  Patch plugins;
  ASSERT_TRUE(plugins.remove_member(body.root(), "a"));
  Patch attempt;
  ASSERT_TRUE(attempt.set_member(body.at("a"), "c", "1"));
  EXPECT_FALSE(plugins.merged(attempt));
  EXPECT_FALSE(attempt.merged(plugins));
}

TEST(Patch, AnEditThatWasTakenBackIsInNobodysWay) {
  const Body body(R"({"a":{"b":1}})");
  Patch patch;
  ASSERT_TRUE(patch.set_member(body.at("a"), "c", "1"));
  ASSERT_TRUE(patch.remove_member(body.at("a"), "c"));
  ASSERT_TRUE(patch.remove_member(body.root(), "a"));
  const auto merged = Patch().merged(patch);
  ASSERT_TRUE(merged);
  EXPECT_EQ(body.with(*merged), "{}");
}

// ------------------------------------------------------------------------------------------------ by property

// What a JSON text means after edits, kept the naive way: as a tree. Written without a look at splice.cc.
struct Model {
  std::size_t begin = 0;
  std::size_t end = 0;
  char kind = 's';        // 'o', 'a' or scalar
  std::string scalar;     // raw
  bool replaced = false;  // `scalar` holds what stands here now
  struct Child;
  std::vector<Child> children;
};
struct Model::Child {
  std::string key;        // quoted, unescaped key; empty in arrays
  std::size_t index = 0;  // among the original children
  bool inserted = false;
  bool removed = false;
  Model value;
};

Model model_of(Value value) {
  Model model{.begin = value.begin(), .end = value.end()};
  model.scalar = value.raw();
  if (value.is_object()) model.kind = 'o';
  if (value.is_array()) model.kind = 'a';
  std::size_t index = 0;
  for (const auto& member : value.members()) {
    model.children.push_back(
        {quote(member.key.string()), index++, false, false, model_of(member.value)});
  }
  for (const Value element : value.elements()) {
    model.children.push_back({"", index++, false, false, model_of(element)});
  }
  return model;
}

std::string canonical(const Model& model) {
  if (model.kind == 's' || model.replaced) return model.scalar;
  std::string out(1, model.kind == 'o' ? '{' : '[');
  for (const Model::Child& child : model.children) {
    if (!child.removed) out += child.key + ':' + canonical(child.value) + ',';
  }
  return out + (model.kind == 'o' ? '}' : ']');
}

bool edited_inside(const Model& model) {
  return std::ranges::any_of(model.children, [](const Model::Child& child) {
    return child.inserted || child.removed || child.value.replaced || edited_inside(child.value);
  });
}

struct Place {
  Model* model;
  bool covered;  // something around it is removed or replaced
};

void walk(Model& model, bool covered, std::vector<std::pair<std::size_t, Place>>& out) {
  out.push_back({model.begin, {&model, covered}});
  for (Model::Child& child : model.children) {
    if (!child.inserted) walk(child.value, covered || model.replaced || child.removed, out);
  }
}

void collect(Value value, std::vector<Value>& out) {
  out.push_back(value);
  for (const auto& member : value.members()) collect(member.value, out);
  for (const Value element : value.elements()) collect(element, out);
}

class Edits {
 public:
  Edits(const Document& document, std::uint64_t seed)
      : random_(seed), model_(model_of(document.root())) {
    collect(document.root(), values_);
  }

  // Makes one random edit in the patch and in the model; both must agree whether it is allowed.
  void step() {
    const Value value = values_[random_.below(values_.size())];
    std::vector<std::pair<std::size_t, Place>> places;
    walk(model_, false, places);
    const auto found =
        std::ranges::find(places, value.begin(), &std::pair<std::size_t, Place>::first);
    RC_ASSERT(found != places.end());
    const Place place = found->second;
    if (value.is_object() && random_.below(4) != 0) {
      edit_object(value, place);
    } else if (value.is_array() && random_.below(4) != 0) {
      edit_array(value, place);
    } else if (!place.covered) {
      replace(value, *place.model);
    }
  }

  const Patch& patch() const { return patch_; }
  const Model& model() const { return model_; }

 private:
  std::string fresh() { return std::to_string(random_.below(1000)); }

  void replace(Value value, Model& model) {
    const bool allowed = model.replaced || !edited_inside(model);
    const std::string text = fresh();
    RC_ASSERT(patch_.replace(value, text).has_value() == allowed);
    if (allowed) set(model, text);
  }

  static void set(Model& model, const std::string& text) {
    model.replaced = true;
    model.scalar = text;
  }

  void edit_object(Value value, Place place) {
    const std::string key = std::array{"model", "a", "b", "new", "other", ""}[random_.below(6)];
    std::vector<Model::Child*> same;
    for (Model::Child& child : place.model->children) {
      if (child.key == quote(key)) same.push_back(&child);
    }
    const bool duplicate = std::ranges::count_if(same, [](auto* c) { return !c->inserted; }) > 1;
    const bool closed = place.covered || place.model->replaced;
    if (random_.below(2) == 0) {
      set_member(value, key, *place.model, same, duplicate, closed);
    } else {
      remove_member(value, key, *place.model, same, duplicate, closed);
    }
  }

  void set_member(Value value, const std::string& key, Model& model,
                  const std::vector<Model::Child*>& same, bool duplicate, bool closed) {
    const std::string text = fresh();
    const bool lost = !same.empty() && !same[0]->inserted && !same[0]->value.replaced &&
                      edited_inside(same[0]->value);
    const bool allowed = !duplicate && !closed && !lost;
    RC_ASSERT(patch_.set_member(value, key, text).has_value() == allowed);
    if (!allowed) return;
    if (!same.empty()) {
      same[0]->removed = false;
      return set(same[0]->value, text);
    }
    const auto first = std::ranges::find(model.children, false, &Model::Child::inserted);
    model.children.insert(first, {quote(key), 0, true, false, {.scalar = text}});
  }

  void remove_member(Value value, const std::string& key, Model& model,
                     const std::vector<Model::Child*>& same, bool duplicate, bool closed) {
    // Nothing to remove is fine anywhere.
    const bool absent = same.empty() || same[0]->inserted;
    const bool lost =
        !absent && !same[0]->removed && !same[0]->value.replaced && edited_inside(same[0]->value);
    const bool allowed = !duplicate && (absent || !closed) && !lost;
    RC_ASSERT(patch_.remove_member(value, key).has_value() == allowed);
    if (!allowed || same.empty()) return;
    if (absent) {
      std::erase_if(model.children,
                    [&](const auto& c) { return c.inserted && c.key == quote(key); });
    } else {
      remove(*same[0]);
    }
  }

  static void remove(Model::Child& child) {
    child.removed = true;
    child.value.replaced = false;
  }

  void edit_array(Value value, Place place) {
    const bool closed = place.covered || place.model->replaced;
    auto& children = place.model->children;
    const std::size_t index = random_.below(value.size() + 1);
    const auto at = std::ranges::find_if(
        children, [&](const Model::Child& c) { return !c.inserted && c.index == index; });
    if (random_.below(2) == 0) {
      const std::string text = fresh();
      RC_ASSERT(patch_.insert_element(value, index, text).has_value() == !closed);
      if (!closed) children.insert(at, {"", 0, true, false, {.scalar = text}});
    } else if (at != children.end()) {
      const bool lost = !at->removed && !at->value.replaced && edited_inside(at->value);
      const bool allowed = !closed && !lost;
      RC_ASSERT(patch_.remove_element(value, index).has_value() == allowed);
      if (allowed) remove(*at);
    }
  }

  Random random_;
  Model model_;
  std::vector<Value> values_;
  Patch patch_;
};

// Every byte that is not part of a replaced value, a removed child or the comma next to one must be where it was.
void check_untouched(const Model& model, const Patch& patch) {
  if (model.replaced) return;
  if (model.kind == 's') {
    for (const auto& edit : patch.edits())
      RC_ASSERT(edit.end <= model.begin || edit.begin >= model.end);
  }
  for (const Model::Child& child : model.children) {
    if (!child.inserted && !child.removed) check_untouched(child.value, patch);
  }
}

void check_random_edits(std::uint64_t seed) {
  Random random(seed);
  const std::string text = random_json_detail::space(random) + random_json(random, 4);
  const auto document = Document::parse(text);
  RC_ASSERT(document.has_value());
  Edits edits(*document, seed);
  const std::uint64_t steps = random.below(12);
  for (std::uint64_t i = 0; i < steps; ++i) edits.step();

  const std::string result = edits.patch().apply(text);
  RC_ASSERT(result.size() == EditedText(text, edits.patch().edits()).size());
  const auto reparsed = Document::parse(result);
  RC_ASSERT(reparsed.has_value());
  RC_ASSERT(canonical(model_of(reparsed->root())) == canonical(edits.model()));
  check_untouched(edits.model(), edits.patch());
  std::size_t kept = 0;  // position in the original
  std::size_t made = 0;  // position in the result
  for (const auto& edit : edits.patch().edits()) {
    RC_ASSERT(edit.begin >= kept);
    RC_ASSERT(text.substr(kept, edit.begin - kept) == result.substr(made, edit.begin - kept));
    made += edit.begin - kept + edit.with.size();
    kept = edit.end;
  }
  RC_ASSERT(text.substr(kept) == result.substr(made));
}

TEST(PatchProperty, AnyEditsOfAnyJsonEqualTheEditsOfATreeAndTouchNothingElse) {
  EXPECT_TRUE(rc::check([](std::uint32_t start) {
    for (std::uint64_t i = 0; i < 20; ++i) check_random_edits((std::uint64_t{start} << 8) + i);
  }));
}

}  // namespace
}  // namespace signalbox::json
