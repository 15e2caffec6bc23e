#include "config/router/dynamic.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/finding.h"
#include "config/yaml/tree.h"
#include "json/writer.h"

namespace signalbox::config {
namespace {

// What the replaced router takes from the file at every change.
constexpr std::array<std::string_view, 17> kReread = {"service-discovery",
                                                      "routing-logic",
                                                      "static-backends",
                                                      "static-models",
                                                      "static-aliases",
                                                      "static-model-labels",
                                                      "static-model-types",
                                                      "static-backend-health-checks",
                                                      "static-backend-health-check-interval",
                                                      "static-backend-health-check-timeout-seconds",
                                                      "prefill-model-labels",
                                                      "decode-model-labels",
                                                      "k8s-port",
                                                      "k8s-namespace",
                                                      "k8s-label-selector",
                                                      "session-key",
                                                      "callbacks"};

std::unexpected<Error> wrong(const std::string& file, Mark mark, std::string key,
                             std::string message, std::string remedy) {
  const Finding finding{Severity::kError,   "bad-key",        file,
                        mark.line,          mark.column,      std::move(key),
                        std::move(message), std::move(remedy)};
  return fail(Code::kConfig, to_text(finding));
}

void append_part(std::string& list, std::string_view part) {
  if (!list.empty()) list += ',';
  list += part;
}

// One of the four flags that a map of models spreads over; parts go together by position.
struct Columns {
  std::string backends, models, types, labels;
  bool any_type = false, any_label = false;
};

Result<Columns> columns_of(const Node& models, const std::string& file) {
  Columns columns;
  for (const auto& model : models.entries) {
    const Node* backends = model.value.find("static_backends");
    if (backends == nullptr || !(backends->is_sequence() || backends->is_scalar())) {
      return wrong(file, model.mark, "static_models." + model.key, "has no list static_backends",
                   "write static_backends: [URL, ...]");
    }
    const std::string_view type = model.value.text("static_model_type");
    const std::string_view label = model.value.text("static_model_label");
    const auto add = [&](std::string_view url) {
      const bool first = columns.models.empty();
      append_part(columns.backends, url);
      append_part(columns.models, model.key);
      // Parts may be empty, so that no comma may be lost.
      columns.types += first ? std::string(type) : "," + std::string(type);
      columns.labels += first ? std::string(label) : "," + std::string(label);
    };
    if (backends->is_scalar()) add(backends->scalar);
    for (const Node& url : backends->items) add(url.scalar);
    columns.any_type |= !type.empty();
    columns.any_label |= !label.empty();
  }
  return columns;
}

Result<void> set_models(RouterArguments& values, const Node& models, const std::string& file) {
  SBX_TRY(const Columns columns, columns_of(models, file));
  SBX_CHECK_OK(values.set(*find_router_flag("static-backends"), columns.backends));
  SBX_CHECK_OK(values.set(*find_router_flag("static-models"), columns.models));
  if (columns.any_type)
    SBX_CHECK_OK(values.set(*find_router_flag("static-model-types"), columns.types));
  if (columns.any_label)
    SBX_CHECK_OK(values.set(*find_router_flag("static-model-labels"), columns.labels));
  return {};
}

// Scalars as they are, lists joined by commas, maps as key:value pairs.
std::string flat_text(const Node& value) {
  std::string text;
  for (const Node& item : value.items) append_part(text, item.scalar);
  for (const auto& entry : value.entries) append_part(text, entry.key + ":" + entry.value.scalar);
  return value.is_scalar() ? value.scalar : text;
}

void append_json(json::Writer& out, const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      out.null();
      return;
    case Node::Kind::kScalar:
      out.string(node.scalar);
      return;
    case Node::Kind::kSequence:
      out.begin_array();
      for (const Node& item : node.items) append_json(out, item);
      out.end_array();
      return;
    case Node::Kind::kMap:
      out.begin_object();
      for (const auto& entry : node.entries) append_json(out.key(entry.key), entry.value);
      out.end_object();
  }
}

Result<void> set_entry(RouterArguments& values, const Node::Entry& entry, const std::string& file) {
  const RouterFlag* flag = find_router_flag(entry.key);
  if (flag == nullptr) {
    std::vector<std::string> known;
    for (const RouterFlag& each : router_flags()) {
      known.emplace_back(each.name);
      std::ranges::replace(known.back(), '-', '_');
    }
    const std::vector<std::string_view> views(known.begin(), known.end());
    const auto meant = did_you_mean(entry.key, views);
    return wrong(
        file, entry.mark, entry.key, "no flag has this name",
        meant ? fmt::format("did you mean {}?", *meant) : "write names of flags with underscores");
  }
  if (entry.value.is_null()) return {};
  if (flag->name == "static-models" && entry.value.is_map())
    return set_models(values, entry.value, file);
  std::string text = flat_text(entry.value);
  if (flag->kind == FlagKind::kSwitch) text = to_lower(text);
  if (auto set = values.set(*flag, std::move(text)); !set)
    return wrong(file, entry.value.mark, entry.key, std::move(set).error().message, "change it");
  return {};
}

}  // namespace

Result<DynamicFile> read_dynamic_file(std::string_view text, const std::string& file_name) {
  const auto tree = parse_tree(text);
  if (!tree) {
    return wrong(file_name, tree.error().mark, {}, tree.error().message, tree.error().remedy);
  }
  if (!tree->is_map())
    return wrong(file_name, tree->mark, {}, "the document is not a map", "write flag_name: value");
  DynamicFile file;
  for (const auto& entry : tree->entries) SBX_CHECK_OK(set_entry(file.values, entry, file_name));
  json::Writer out(file.json);
  append_json(out, *tree);
  return file;
}

RouterArguments with_dynamic(const RouterArguments& command_line, const RouterArguments& file) {
  RouterArguments merged = command_line;
  // A file that lists engines lists all of them: parts of the command line's lists do not belong to it.
  if (file.given("static-backends")) {
    for (const std::string_view flag :
         {"static-models", "static-model-types", "static-model-labels"})
      merged.remove(flag);
  }
  for (const RouterFlag& flag : router_flags()) {
    if (!file.given(flag.name)) continue;
    const bool reread = std::ranges::find(kReread, flag.name) != kReread.end();
    if (!reread && command_line.given(flag.name)) continue;
    static_cast<void>(merged.set(flag, file.text(flag.name)));  // checked when it was read
  }
  return merged;
}

}  // namespace signalbox::config
