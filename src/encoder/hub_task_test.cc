#include "encoder/hub_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "encoder/encoder.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

std::string hub(const std::string& name) { return testing::golden_directory() + "/hub/" + name; }

Error error_of(const HubTask& task) {
  const auto loaded = HubModel::load(task);
  EXPECT_FALSE(loaded);
  return loaded ? Error{} : loaded.error();
}

TEST(HubModel, JudgesTheDomainInPlaceOfTheHeadAndWithoutAPassOfTheBase) {
  for (const char* name :
       {"bert_sequence", "bert_lora", "modern_bert_sequence", "qwen3_sequence"}) {
    const std::vector<HubTask> tasks{{.task = Task::kDomain, .directory = hub(name)}};
    auto encoder = Encoder::load(testing::tiny_directory(), "/nonexistent", {}, tasks);
    ASSERT_TRUE(encoder) << name << ": " << encoder.error().message;
    ASSERT_TRUE((*encoder)->has_domain());
    EXPECT_EQ((*encoder)->head(Task::kDomain)->version(), hub(name));
    Workspace workspace;
    const auto analysis = (*encoder)->analyze("the points move", Demand::kDomain, workspace);
    const auto domain = analysis.of(Task::kDomain);
    ASSERT_EQ(domain.size(), Encoder::domain_labels().size());
    EXPECT_NEAR(std::accumulate(domain.begin(), domain.end(), 0.0), 1, 1e-5);
    // The model knows law, maths and other.
    EXPECT_GT(domain[8], 0);
    EXPECT_EQ(domain[0], 0);
    EXPECT_EQ(analysis.passes, 1);
  }
}

TEST(HubModel, AJailbreakModelsLabelsAreFindingsByNameOrAsListed) {
  const auto unnamed = error_of({.task = Task::kJailbreak, .directory = hub("bert_sequence")});
  EXPECT_EQ(unnamed.code, Code::kConfig);
  EXPECT_NE(unnamed.message.find("positive_labels"), std::string::npos) << unnamed.message;
  const auto model = HubModel::load({.task = Task::kJailbreak,
                                     .directory = hub("bert_sequence"),
                                     .positive = {"LAW"},
                                     .threshold = 0.8});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->head().labels(), (std::vector<std::string>{"benign", "jailbreak"}));
  EXPECT_DOUBLE_EQ(model->head().meta().threshold, 0.8);
  ClassifierWorkspace workspace;
  Coverage coverage;
  const auto said = model->classify("the points move", workspace, coverage);
  const auto plain = ClassifierModel::load(hub("bert_sequence"));
  EXPECT_NEAR(said[1], (*plain)->classify("the points move", workspace).probabilities[0], 1e-6);
}

TEST(HubModel, AModelThatDoesNotFitTheTaskIsRefusedWithTheReason) {
  EXPECT_NE(
      error_of({.task = Task::kFactCheck, .directory = hub("bert_sequence")}).message.find("'law'"),
      std::string::npos);
  EXPECT_EQ(error_of({.task = Task::kDomain, .directory = hub("bert_tokens")}).code, Code::kConfig);
  EXPECT_EQ(error_of({.directory = hub("bert_sequence")}).code, Code::kConfig);
  EXPECT_EQ(error_of({.task = Task::kDomain, .directory = "/nonexistent"}).code, Code::kIo);
}

TEST(HubModel, FindsPersonalDataBesideTheRules) {
  const std::vector<HubTask> tasks{{.directory = hub("bert_tokens"), .threshold = 0.01}};
  auto encoder = Encoder::load(testing::tiny_directory(), "/nonexistent", {}, tasks);
  ASSERT_TRUE(encoder) << encoder.error().message;
  EXPECT_TRUE((*encoder)->finds_names());
  Workspace workspace;
  const auto analysis =
      (*encoder)->analyze("the points move, mail ann@example.org", Demand::kPii, workspace);
  const bool mail = std::ranges::any_of(analysis.entities, [](const pii::Entity& entity) {
    return entity.type == pii::Type::kEmailAddress;
  });
  EXPECT_TRUE(mail);
  EXPECT_GE(analysis.passes, 1);
}

TEST(HubModel, AnEncoderWithAModelThatCannotBeUsedNamesItsDirectory) {
  const std::vector<HubTask> tasks{{.task = Task::kDomain, .directory = "/nonexistent"}};
  const auto encoder = Encoder::load(testing::tiny_directory(), "/nonexistent", {}, tasks);
  ASSERT_FALSE(encoder);
  EXPECT_EQ(encoder.error().param, "/nonexistent");
}

}  // namespace
}  // namespace signalbox::encoder
