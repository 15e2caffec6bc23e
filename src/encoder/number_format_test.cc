#include "encoder/number_format.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace signalbox::encoder {
namespace {

using tensor::Precision;

class NumberFormat : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv("SIGNALBOX_ENCODER_PRECISION"); }
  static void set(const char* word) { ::setenv("SIGNALBOX_ENCODER_PRECISION", word, 1); }
};

TEST_F(NumberFormat, TheCallerWinsOverTheVariable) {
  set("int8");
  EXPECT_EQ(choose_format(Precision::kF32)->precision, Precision::kF32);
}

TEST_F(NumberFormat, TheVariableWinsOverTheDefault) {
  set("fp32");
  EXPECT_EQ(choose_format()->precision, Precision::kF32);
  set("int8");
  EXPECT_EQ(choose_format()->precision, Precision::kInt8);
}

TEST_F(NumberFormat, AnEmptyVariableIsNoChoice) {
  set("");
  const auto empty = choose_format();
  ::unsetenv("SIGNALBOX_ENCODER_PRECISION");
  EXPECT_EQ(empty->precision, choose_format()->precision);
}

TEST_F(NumberFormat, AnotherWordIsAnErrorThatNamesTheVariable) {
  set("fp16");
  const auto format = choose_format();
  ASSERT_FALSE(format);
  EXPECT_EQ(format.error().code, Code::kConfig);
  EXPECT_EQ(format.error().param, "SIGNALBOX_ENCODER_PRECISION");
}

TEST_F(NumberFormat, Bf16IsChosenOnlyWhereTheKernelsHaveIt) {
  const bool fast = &tensor::best_dot_kernels() != &tensor::scalar_dot_kernels();
  const bool has = fast && tensor::best_dot_kernels().has_bf16();
  EXPECT_EQ(choose_format(Precision::kBf16)->precision, has ? Precision::kBf16 : Precision::kF32);
}

}  // namespace
}  // namespace signalbox::encoder
