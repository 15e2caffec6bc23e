#include "encoder/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

using testing::bytes_of;
using testing::SafetensorsBuilder;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

Code code_of(const std::string& bytes) {
  const auto parsed = Safetensors::parse(as_bytes(bytes));
  return parsed ? Code::kInternal : parsed.error().code;
}

TEST(Safetensors, ReadsTheThreeFloatFormats) {
  const std::string bytes =
      SafetensorsBuilder()
          .add("a", "F32", "[2,1]", bytes_of({1.5f, -2.0f}))
          .add("h", "F16", "[5]", std::string("\x00\x3C\x00\xC0\x01\x00\x00\x7C\xFF\x7B", 10))
          .add("b", "BF16", "[1]", std::string("\xC0\x3F", 2))
          .bytes();
  const auto file = Safetensors::parse(as_bytes(bytes));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file->floats("a", std::vector<std::uint64_t>{2, 1}),
            (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(*file->floats("h", std::vector<std::uint64_t>{5}),
            (std::vector<float>{1.0f, -2.0f, 0x1p-24f, std::numeric_limits<float>::infinity(),
                                65504.0f}));
  EXPECT_EQ(*file->floats("b", std::vector<std::uint64_t>{1}), (std::vector<float>{1.5f}));
}

TEST(Safetensors, AMissingTensorOrAnotherShapeIsNamed) {
  const std::string bytes = SafetensorsBuilder().add("a", "F32", "[2]", bytes_of({1, 2})).bytes();
  const auto file = Safetensors::parse(as_bytes(bytes));
  EXPECT_NE(file->floats("zzz", std::vector<std::uint64_t>{2}).error().message.find("zzz"),
            std::string::npos);
  EXPECT_EQ(file->floats("a", std::vector<std::uint64_t>{1, 2}).error().code, Code::kCorrupt);
}

TEST(Safetensors, UnknownDtypesMayBePresentButNotRead) {
  const std::string bytes =
      SafetensorsBuilder().add("ids", "I64", "[1]", std::string(8, '\0')).bytes();
  const auto file = Safetensors::parse(as_bytes(bytes));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->floats("ids", std::vector<std::uint64_t>{1}).error().code, Code::kCorrupt);
}

TEST(Safetensors, HostileHeadersAreCorrupt) {
  const auto with = [](const std::string& entry) {
    return SafetensorsBuilder::with_header("{\"a\":" + entry + "}", std::string(16, '\0'));
  };
  EXPECT_EQ(code_of(""), Code::kCorrupt);
  EXPECT_EQ(code_of("1234567"), Code::kCorrupt);
  EXPECT_EQ(code_of(std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}")), Code::kCorrupt);
  EXPECT_EQ(code_of(SafetensorsBuilder::with_header("[]", "")), Code::kCorrupt);
  EXPECT_EQ(code_of(SafetensorsBuilder::with_header("{", "")), Code::kCorrupt);
  EXPECT_EQ(code_of(with("7")), Code::kCorrupt);
  EXPECT_EQ(code_of(with("{}")), Code::kCorrupt);
  EXPECT_EQ(code_of(with(R"({"dtype":"F32","shape":[4],"data_offsets":[0,17]})")), Code::kCorrupt);
  EXPECT_EQ(code_of(with(R"({"dtype":"F32","shape":[4],"data_offsets":[12,8]})")), Code::kCorrupt);
  EXPECT_EQ(code_of(with(R"({"dtype":"F32","shape":[3],"data_offsets":[0,16]})")), Code::kCorrupt);
  EXPECT_EQ(code_of(with(R"({"dtype":"F32","shape":[-4],"data_offsets":[0,16]})")), Code::kCorrupt);
  EXPECT_EQ(
      code_of(with(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})")),
      Code::kCorrupt);
  EXPECT_EQ(code_of(with(R"({"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]})")),
            Code::kCorrupt);
  EXPECT_EQ(code_of(with(R"({"dtype":"F32","shape":[4],"data_offsets":[0,16],"shape":[1]})")),
            Code::kCorrupt);
  EXPECT_EQ(
      code_of(SafetensorsBuilder::with_header(
          R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
          "")),
      Code::kCorrupt);
}

TEST(Safetensors, ReadsNothingPastTheEndOfATensor) {
  const std::string bytes = SafetensorsBuilder().add("a", "F32", "[2]", bytes_of({1, 2})).bytes();
  const auto file = Safetensors::parse(as_bytes(bytes));
  std::vector<float> two(2);
  EXPECT_TRUE(file->find("a")->read(0, two));
  EXPECT_FALSE(file->find("a")->read(1, two));
  EXPECT_FALSE(file->find("a")->read(~std::uint64_t{0}, two));
}

TEST(Safetensors, TheFingerprintChangesWithTheWeights) {
  const std::string one = SafetensorsBuilder().add("a", "F32", "[1]", bytes_of({1})).bytes();
  const std::string two = SafetensorsBuilder().add("a", "F32", "[1]", bytes_of({2})).bytes();
  EXPECT_NE(Safetensors::parse(as_bytes(one))->fingerprint(),
            Safetensors::parse(as_bytes(two))->fingerprint());
  EXPECT_EQ(Safetensors::parse(as_bytes(one))->fingerprint(),
            Safetensors::parse(as_bytes(one))->fingerprint());
}

RC_GTEST_PROP(Safetensors, AFileCutAnywhereIsCorruptAndNeverRead, (std::uint8_t where)) {
  const std::string bytes =
      SafetensorsBuilder().add("a", "F32", "[8]", bytes_of(std::vector<float>(8, 1))).bytes();
  const std::string cut = bytes.substr(0, where % bytes.size());
  RC_ASSERT(code_of(cut) == Code::kCorrupt);
}

}  // namespace
}  // namespace signalbox::encoder
