// Every architecture against the reference library, on small random models that train/architectures.py made.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

#include "encoder/classifier_model.h"
#include "encoder/hub/classifier_head.h"
#include "encoder/hub/label_prompt.h"
#include "encoder/hub/model_files.h"
#include "encoder/hub/trunk.h"
#include "encoder/testing.h"
#include "json/document.h"

namespace signalbox::encoder {
namespace {

struct Row {
  std::string text;
  std::vector<std::int32_t> ids;
  std::vector<double> logits;
};

std::string directory_of(const std::string& name) {
  return testing::golden_directory() + "/hub/" + name;
}

std::vector<Row> rows_of(const std::string& name) {
  std::vector<Row> rows;
  std::ifstream file(directory_of(name) + "/reference.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto document = json::Document::parse(line);
    Row row;
    row.text = (*document->root().find("text"))->string();
    for (const auto id : (*document->root().find("ids"))->elements())
      row.ids.push_back(static_cast<std::int32_t>(*id.integer()));
    for (const auto logit : (*document->root().find("logits"))->elements())
      row.logits.push_back(*logit.number());
    rows.push_back(std::move(row));
  }
  return rows;
}

class Reference : public ::testing::TestWithParam<const char*> {};

TEST_P(Reference, TokenIdsAreThoseOfTheReferenceTokenizer) {
  const auto files = ModelFiles::open(directory_of(GetParam()), "", "");
  ASSERT_TRUE(files) << files.error().message;
  const auto& [before, after] = files->tokenizer->frame();
  const auto rows = rows_of(GetParam());
  EXPECT_EQ(rows.size(), 6u);
  for (const Row& row : rows) {
    auto ids = before;
    files->tokenizer->tokenize(row.text, ids);
    ids.insert(ids.end(), after.begin(), after.end());
    EXPECT_EQ(ids, row.ids) << row.text;
  }
}

TEST_P(Reference, LogitsAreThoseOfTheReferenceLibraryOnEveryKernelTable) {
  const auto files = ModelFiles::open(directory_of(GetParam()), "", "");
  ASSERT_TRUE(files) << files.error().message;
  for (const tensor::Kernels* kernels : tensor::runnable_kernels()) {
    const auto trunk = load_trunk(files->config, files->weights, 96, *kernels);
    ASSERT_TRUE(trunk) << trunk.error().message;
    Result<ClassifierHead> head = fail(Code::kInternal, "");
    if (files->head_kind == HeadKind::kLabelTokens) {
      const auto prompt = LabelPrompt::parse(files->classifier_json, *files->tokenizer);
      ASSERT_TRUE(prompt) << prompt.error().message;
      head = ClassifierHead::of_tokens(files->config, prompt->tokens, *files->weights, *kernels);
    } else {
      head = ClassifierHead::load(files->config, files->head_kind, *files->weights, *kernels);
    }
    ASSERT_TRUE(head) << head.error().message;
    TrunkScratch scratch;
    for (const Row& row : rows_of(GetParam())) {
      (*trunk)->forward(row.ids, scratch);
      const auto logits = files->head_kind == HeadKind::kTokens
                              ? head->of_each(scratch.hidden.data(), row.ids.size())
                              : head->of_sequence(scratch.hidden.data(), row.ids.size());
      ASSERT_EQ(logits.size(), row.logits.size());
      for (std::size_t i = 0; i < logits.size(); ++i) {
        ASSERT_NEAR(logits[i], row.logits[i], 1e-4 * std::max(1.0, std::abs(row.logits[i])))
            << kernels->name << ", logit " << i << " of: " << row.text;
      }
    }
  }
}

// Models whose texts go in as they are and that judge a whole text.
class SequenceReference : public ::testing::TestWithParam<const char*> {};

TEST_P(SequenceReference, TheClassifierGivesTheSoftmaxOfThoseLogits) {
  const auto model = ClassifierModel::load(directory_of(GetParam()));
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_FALSE((*model)->labels_tokens());
  ClassifierWorkspace workspace;
  for (const Row& row : rows_of(GetParam())) {
    const auto result = (*model)->classify(row.text, workspace);
    double sum = 0;
    for (const double logit : row.logits) sum += std::exp(logit);
    ASSERT_EQ(result.probabilities.size(), row.logits.size());
    for (std::size_t i = 0; i < row.logits.size(); ++i)
      EXPECT_NEAR(result.probabilities[i], std::exp(row.logits[i]) / sum, 1e-4) << row.text;
  }
}

INSTANTIATE_TEST_SUITE_P(Hub, Reference,
                         ::testing::Values("bert_sequence", "bert_tokens", "bert_lora",
                                           "modern_bert_sequence", "modern_bert_tokens",
                                           "modern_bert_lora", "qwen3_sequence", "qwen3_lora",
                                           "qwen3_label_tokens"),
                         [](const auto& info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(Hub, SequenceReference,
                         ::testing::Values("bert_sequence", "bert_lora", "modern_bert_sequence",
                                           "modern_bert_lora", "qwen3_sequence", "qwen3_lora"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace signalbox::encoder
