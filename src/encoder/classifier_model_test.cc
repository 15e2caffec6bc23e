#include "encoder/classifier_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <thread>

#include "base/file.h"
#include "encoder/testing.h"

namespace signalbox::encoder {
namespace {

namespace fs = std::filesystem;

std::string hub(const std::string& name) { return testing::golden_directory() + "/hub/" + name; }

std::unique_ptr<const ClassifierModel> load(const std::string& name,
                                            const ClassifierOptions& options = {}) {
  auto loaded = ClassifierModel::load(hub(name), options);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

Error error_of(const std::string& directory, const ClassifierOptions& options = {}) {
  const auto loaded = ClassifierModel::load(directory, options);
  EXPECT_FALSE(loaded) << directory;
  return loaded ? Error{} : loaded.error();
}

// A copy of a golden directory that a test may damage.
std::string copy_of(const std::string& name, const std::string& as) {
  const auto folder = fs::path(::testing::TempDir()) / as;
  fs::remove_all(folder);
  fs::copy(hub(name), folder, fs::copy_options::recursive);
  return folder.string();
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(ClassifierModel, ProbabilitiesAddUpToOneAndBearTheLabelsOfTheConfiguration) {
  const auto model = load("bert_sequence");
  EXPECT_EQ(model->labels(), (std::vector<std::string>{"law", "math", "other"}));
  ClassifierWorkspace workspace;
  const auto result = model->classify("the points move", workspace);
  EXPECT_NEAR(std::accumulate(result.probabilities.begin(), result.probabilities.end(), 0.0), 1,
              1e-5);
  EXPECT_EQ(result.coverage.tokens_seen, 3u);
  EXPECT_EQ(result.coverage.passes, 1u);
}

TEST(ClassifierModel, AnEmptyTextHasAVerdictToo) {
  ClassifierWorkspace workspace;
  for (const auto* name : {"bert_sequence", "modern_bert_sequence", "qwen3_sequence"}) {
    const auto result = load(name)->classify("", workspace);
    EXPECT_NEAR(std::accumulate(result.probabilities.begin(), result.probabilities.end(), 0.0), 1,
                1e-5)
        << name;
    EXPECT_EQ(result.coverage.tokens_seen, 0u);
  }
}

TEST(ClassifierModel, ALongTextIsSeenInWindowsWithinTheBudget) {
  const auto model = load("bert_sequence", {.tokens_max = 3 * 96});
  ClassifierWorkspace workspace;
  const auto result = model->classify(repeated("the points move ", 400), workspace);
  EXPECT_EQ(result.coverage.tokens_total, 1200u);
  EXPECT_EQ(result.coverage.passes, 3u);
  EXPECT_EQ(result.windows.size(), 3u);
  EXPECT_EQ(result.coverage.tokens_seen, 3u * 94u);
}

TEST(ClassifierModel, ATextOfMegabytesIsCutWithoutBeingReadWhole) {
  const auto model = load("modern_bert_tokens");
  ClassifierWorkspace workspace;
  const auto result = model->find(repeated("John lives at 90210. ", 60000), workspace);
  EXPECT_LE(result.coverage.passes * 256, limits::kClassifierTokensMax);
  EXPECT_LT(result.coverage.tokens_seen, result.coverage.tokens_total);
}

TEST(ClassifierModel, EntitiesLieInTheTextInOrderAndDoNotOverlap) {
  ClassifierWorkspace workspace;
  const std::string text =
      repeated("My landlord, John Smith\xC3\xA9, keeps the deposit at 90210. ", 30);
  for (const auto* name : {"bert_tokens", "modern_bert_tokens"}) {
    const auto model = load(name);
    ASSERT_TRUE(model->labels_tokens());
    const auto result = model->find(text, workspace);
    EXPECT_FALSE(result.entities.empty()) << name;
    std::size_t end = 0;
    for (const Entity& entity : result.entities) {
      EXPECT_GE(entity.begin, end) << name;
      EXPECT_LT(entity.begin, entity.end);
      EXPECT_LE(entity.end, text.size());
      EXPECT_GT(entity.confidence, 0);
      EXPECT_LE(entity.confidence, 1);
      EXPECT_TRUE(entity.label == "PERSON" || entity.label == "ZIP_CODE") << entity.label;
      end = entity.end;
    }
  }
}

TEST(ClassifierModel, OneModelServesThreadsWithAWorkspaceEach) {
  const auto model = load("qwen3_lora");
  ClassifierWorkspace alone;
  const auto wanted = model->classify("the law of large numbers", alone).probabilities;
  std::vector<std::vector<float>> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& probabilities : found) {
      threads.emplace_back([&] {
        ClassifierWorkspace workspace;
        for (int i = 0; i < 5; ++i)
          probabilities = model->classify("the law of large numbers", workspace).probabilities;
      });
    }
  }
  for (const auto& probabilities : found) EXPECT_EQ(probabilities, wanted);
}

TEST(ClassifierModel, AWorkspaceMayGoFromModelToModel) {
  ClassifierWorkspace fresh, used;
  const auto small = load("bert_sequence"), other = load("qwen3_sequence");
  static_cast<void>(other->classify(repeated("the points move ", 50), used));
  EXPECT_EQ(small->classify("a", used).probabilities, small->classify("a", fresh).probabilities);
}

TEST(ClassifierModel, LabelTokensBearTheNamesOfClassifierJson) {
  const auto model = load("qwen3_label_tokens");
  EXPECT_EQ(model->labels(), (std::vector<std::string>{"law", "math", "other"}));
  ClassifierWorkspace workspace;
  const auto result = model->classify(repeated("what is the law ", 200), workspace);
  EXPECT_GT(result.coverage.passes, 1u);
}

TEST(ClassifierModel, AMappingFileWinsOverTheConfigurationAndMustFit) {
  const auto folder = std::string(::testing::TempDir()) + "mapping";
  const auto good = testing::write_file(
      folder, "good.json", R"({"category_to_idx":{},"idx_to_category":{"0":"a","1":"b","2":"c"}})");
  EXPECT_EQ(load("bert_sequence", {.mapping_path = good})->labels(),
            (std::vector<std::string>{"a", "b", "c"}));
  const auto short_one = testing::write_file(folder, "short.json", R"({"idx_to_label":{"0":"a"}})");
  EXPECT_EQ(error_of(hub("bert_sequence"), {.mapping_path = short_one}).code, Code::kCorrupt);
  const auto empty = testing::write_file(folder, "empty.json", "{}");
  EXPECT_EQ(error_of(hub("bert_sequence"), {.mapping_path = empty}).code, Code::kCorrupt);
}

TEST(ClassifierModel, AnAdapterWithoutItsBaseSaysWhichItNeeds) {
  const auto folder = copy_of("bert_lora", "lonely_adapter");
  const auto error = error_of(folder);
  EXPECT_EQ(error.code, Code::kIo);
  EXPECT_NE(error.message.find("bert_sequence"), std::string::npos) << error.message;
  EXPECT_TRUE(ClassifierModel::load(folder, {.base_directory = hub("bert_sequence")}));
}

TEST(ClassifierModel, AnAdapterOnAModelOfAnotherArchitectureIsCorrupt) {
  EXPECT_EQ(error_of(hub("bert_lora"), {.base_directory = hub("qwen3")}).code, Code::kCorrupt);
}

TEST(ClassifierModel, ALanguageModelWithoutClassifierJsonIsUnsupported) {
  const auto error = error_of(hub("qwen3"));
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_NE(error.message.find("classifier.json"), std::string::npos) << error.message;
}

TEST(ClassifierModel, ATokenizerOfAnotherModelIsCorrupt) {
  const auto folder = copy_of("bert_sequence", "other_tokenizer");
  fs::copy_file(hub("qwen3") + "/tokenizer.json", folder + "/tokenizer.json",
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(error_of(folder).code, Code::kCorrupt);
}

TEST(ClassifierModel, AMissingFileIsAnIoErrorThatNamesIt) {
  for (const auto* file : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const auto folder = copy_of("modern_bert_sequence", "incomplete");
    fs::remove(folder + "/" + file);
    const auto error = error_of(folder);
    EXPECT_EQ(error.code, Code::kIo) << file;
    EXPECT_FALSE(error.message.empty());
  }
}

TEST(ClassifierModel, WeightsCutAnywhereAreCorrupt) {
  for (const auto* name : {"bert_sequence", "modern_bert_tokens", "qwen3_sequence"}) {
    const auto folder = copy_of(name, "cut_weights");
    const auto whole = read_file(folder + "/model.safetensors", 1 << 20);
    ASSERT_TRUE(whole);
    for (std::size_t size = 1; size < whole->size(); size += 1 + whole->size() / 9) {
      testing::write_file(folder, "model.safetensors", whole->substr(0, size));
      EXPECT_EQ(error_of(folder).code, Code::kCorrupt) << name << " cut at " << size;
    }
  }
}

TEST(ClassifierModel, AShardedModelIsTheSameModel) {
  const auto folder = copy_of("qwen3_sequence", "sharded");
  fs::rename(folder + "/model.safetensors", folder + "/part.safetensors");
  testing::write_file(folder, "model.safetensors.index.json",
                      R"({"weight_map":{"a":"part.safetensors","b":"part.safetensors"}})");
  ClassifierWorkspace workspace;
  const auto sharded = ClassifierModel::load(folder);
  ASSERT_TRUE(sharded) << sharded.error().message;
  EXPECT_EQ((*sharded)->classify("a law", workspace).probabilities,
            load("qwen3_sequence")->classify("a law", workspace).probabilities);
  testing::write_file(folder, "model.safetensors.index.json",
                      R"({"weight_map":{"a":"../qwen3_sequence/model.safetensors"}})");
  EXPECT_EQ(error_of(folder).code, Code::kCorrupt);
}

}  // namespace
}  // namespace signalbox::encoder
