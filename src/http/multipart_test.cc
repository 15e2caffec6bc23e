#include "http/multipart.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace signalbox::http {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=edge";

std::string part(const std::string& disposition, const std::string& value) {
  return "--edge\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + value + "\r\n";
}

std::string value_of(const std::string& body, const FormField& field) {
  return body.substr(field.begin, field.end - field.begin);
}

TEST(Form, FindsEachValueAmongBytesThatLookLikeBoundaries) {
  const std::string sound = std::string("RIFF\0\r\n--edg\r\n--", 16) + "\r\n-edge\n--edge";
  const std::string body = part("name=\"file\"; filename=\"a \xC3\xA9.wav\"", sound) +
                           part("name=model", "MoM") + "--edge--\r\n";
  const auto fields = read_form(kType, body);
  ASSERT_TRUE(fields) << fields.error().message;
  ASSERT_EQ(fields->size(), 2u);
  EXPECT_EQ((*fields)[0].name, "file");
  EXPECT_TRUE((*fields)[0].is_file);
  EXPECT_EQ(value_of(body, (*fields)[0]), sound);
  EXPECT_EQ((*fields)[1].name, "model");
  EXPECT_FALSE((*fields)[1].is_file);
  EXPECT_EQ(value_of(body, (*fields)[1]), "MoM");
}

TEST(Form, TakesPreamblesEmptyValuesOtherHeadersAndQuotedBoundaries) {
  const std::string body =
      "ignored\r\n--a b \r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: Form-Data; "
      "Name=\"x\"\r\n\r\n\r\n--a b--";
  const auto fields = read_form("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", body);
  ASSERT_TRUE(fields) << fields.error().message;
  ASSERT_EQ(fields->size(), 1u);
  EXPECT_EQ((*fields)[0].name, "x");
  EXPECT_EQ(value_of(body, (*fields)[0]), "");
}

TEST(Form, WhatReadersUnderstandDifferentlyIsRefused) {
  const std::vector<std::string> bad = {
      "",
      "--edge",
      "--edge\r\n",
      "--edge\r\n\r\nno name\r\n--edge--",
      part("name=a; name=b", "two names") + "--edge--",
      part("name=a; name*=utf-8''b", "an extended name") + "--edge--",
      part("name=\"mo\\del\"", "an escape") + "--edge--",
      part("name=\"open", "a quote") + "--edge--",
      part("name=\"\"", "empty") + "--edge--",
      part("name=a", "no end"),
      "--edgeX\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--edge--",
      "--edge\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--edge--",
      "--edge\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; "
      "name=b\r\n\r\nv\r\n--edge--",
      "--edge\r\n folded: x\r\n\r\nv\r\n--edge--"};
  for (const auto& body : bad) {
    const auto fields = read_form(kType, body);
    ASSERT_FALSE(fields) << body;
    EXPECT_EQ(fields.error().code, Code::kInvalidArgument);
  }
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b", "multipart/form-data; x"}) {
    EXPECT_FALSE(read_form(type, "--a--")) << type;
  }
}

TEST(Form, MorePartsThanAnyFormHasAreRefused) {
  std::string body;
  for (int i = 0; i < 200; ++i) body += part("name=a", "");
  EXPECT_FALSE(read_form(kType, body + "--edge--"));
}

TEST(IsForm, LooksAtTheTypeOnly) {
  EXPECT_TRUE(is_form("multipart/form-data; boundary=x"));
  EXPECT_TRUE(is_form(" MULTIPART/form-data "));
  EXPECT_FALSE(is_form("multipart/mixed; boundary=x"));
  EXPECT_FALSE(is_form("application/json"));
}

RC_GTEST_PROP(Form, AnyBytesSurviveTheWayThroughAForm, (const std::vector<std::string>& values)) {
  std::string body;
  std::size_t kept = 0;
  for (const auto& value : values) {
    if (value.contains("--edge") || kept == 100) continue;
    body += part("name=f" + std::to_string(kept++), value);
  }
  const auto fields = read_form(kType, body + "--edge--\r\n");
  RC_ASSERT(fields.has_value());
  RC_ASSERT(fields->size() == kept);
  std::size_t next = 0;
  for (const auto& value : values) {
    if (value.contains("--edge") || next == kept) continue;
    RC_ASSERT(value_of(body, (*fields)[next++]) == value);
  }
}

}  // namespace
}  // namespace signalbox::http
