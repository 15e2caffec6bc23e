#include "pipeline/api_info.h"

#include "base/limits.h"
#include "encoder/text_head.h"
#include "encoder/token_head.h"
#include "pii/entity.h"
#include "pipeline/api_embed.h"

namespace signalbox::pipeline {
namespace {

void write_text_head(json::Writer& out, const encoder::Encoder* encoder, encoder::Task task) {
  const encoder::TextHead* head = encoder == nullptr ? nullptr : encoder->head(task);
  out.begin_object().key("name").string(encoder::task_name(task));
  out.key("type").string("text_classification").key("loaded").boolean(head != nullptr);
  if (head != nullptr) {
    out.key("version").string(head->version()).key("labels").begin_array();
    for (const std::string& label : head->labels()) out.string(label);
    out.end_array();
    out.key("threshold").number(head->meta().threshold);
  }
  out.end_object();
}

void write_token_head(json::Writer& out, const encoder::Encoder* encoder) {
  const encoder::TokenHead* head = encoder == nullptr ? nullptr : encoder->token_head();
  out.begin_object().key("name").string("pii").key("type").string("token_classification");
  out.key("loaded").boolean(head != nullptr);
  if (head != nullptr) out.key("version").string(head->version());
  out.end_object();
}

}  // namespace

std::string models_info(const ApiCall& call) {
  const encoder::Encoder* encoder = encoder_of(call);
  std::string body;
  json::Writer out(body);
  out.begin_object().key("models").begin_array();
  out.begin_object().key("name").string(kBuiltInEmbedding).key("type").string("embedding");
  out.key("loaded").boolean(encoder != nullptr).end_object();
  for (const encoder::Task task : encoder::kTasks) write_text_head(out, encoder, task);
  write_token_head(out, encoder);
  out.end_array().key("system").begin_object();
  if (encoder != nullptr) {
    out.key("kernel").string(encoder->kernel());
    out.key("dimension").integer(encoder->dimension());
  }
  out.end_object().end_object();
  return body;
}

std::string classifier_info(const ApiCall& call) {
  const encoder::Encoder* encoder = encoder_of(call);
  std::string body;
  json::Writer out(body);
  out.begin_object().key("status").string(encoder != nullptr ? "active" : "rules_only");
  out.key("capabilities").begin_array().string("pii_rules");
  if (encoder != nullptr && encoder->finds_names()) out.string("pii");
  for (const encoder::Task task : encoder::kTasks) {
    if (encoder != nullptr && encoder->has(task)) out.string(encoder::task_name(task));
  }
  out.end_array().key("categories").begin_array();
  for (const std::string_view label : encoder::Encoder::domain_labels()) out.string(label);
  out.end_array().key("pii_types").begin_array();
  for (std::size_t i = 0; i < pii::kTypes; ++i)
    out.string(pii::type_name(static_cast<pii::Type>(i)));
  out.end_array().key("config").begin_object();
  out.key("domain_threshold").number(call.snapshot.config->domain_threshold);
  out.key("config_epoch").integer(static_cast<std::int64_t>(call.snapshot.epoch));
  out.end_object().end_object();
  return body;
}

std::string embedding_models_info(const ApiCall& call) {
  const encoder::Encoder* encoder = encoder_of(call);
  std::string body;
  json::Writer out(body);
  out.begin_object().key("models").begin_array().begin_object();
  out.key("model_name").string(kBuiltInEmbedding).key("is_loaded").boolean(encoder != nullptr);
  out.key("max_sequence_length").integer(static_cast<std::int64_t>(limits::kEncoderTokensMax));
  if (encoder != nullptr) out.key("default_dimension").integer(encoder->dimension());
  out.end_object().end_array().end_object();
  return body;
}

}  // namespace signalbox::pipeline
