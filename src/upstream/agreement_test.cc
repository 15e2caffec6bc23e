#include "upstream/agreement.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "json/document.h"
#include "net/testing/fake_network.h"
#include "net/testing/manual_loop.h"

namespace signalbox::upstream {
namespace {

using net_testing::FakePeer;
using prompt::Features;
using std::chrono::seconds;

const std::string kFolder = SIGNALBOX_SOURCE_DIR "/test/golden/prompt";

std::shared_ptr<LocalTokenizer> loaded() {
  auto made = std::make_shared<LocalTokenizer>();
  made->directory = kFolder;
  auto tokenizer = prompt::PromptTokenizer::load(kFolder);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  made->tokenizer = *tokenizer;
  return made;
}

std::string ids_text(const prompt::PromptTokenizer& tokenizer, const std::string& body) {
  const auto document = json::Document::parse(body);
  auto rendered = tokenizer.render(document->root(), prompt::BodyKind::kTokenize, seconds(0));
  EXPECT_TRUE(rendered) << body;
  return fmt::format("{}", fmt::join(tokenizer.tokenize(*rendered, nullptr).ids, ","));
}

std::string answer_of(int status, const std::string& ids) {
  const std::string body = R"({"tokens":[)" + ids + "]}";
  return fmt::format("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}", status,
                     body.size(), body);
}

// Two engines of one model; a test says how each answers which probe.
class AgreementTest : public testing::Test {
 protected:
  AgreementTest() : tokenizer(loaded()), probes(make_probes(tokenizer->tokenizer->features())) {
    config.own.kv_events.enabled = true;
    config::Model model;
    model.name = "m";
    for (const char* host : {"a", "b"}) {
      config::BackendRef backend;
      backend.host = host;
      model.backends.push_back(backend);
      answers[host] = [this](const Probe& probe) {
        return answer_of(200, ids_text(*tokenizer->tokenizer, probe.body));
      };
      network.script(std::string(host) + ":80", [this, host](FakePeer& peer) {
        peer.send(answers[host](probes[asked[host]++ % probes.size()]));
      });
    }
    config.providers.models.push_back(model);
    set = table.publish(config);
    tokenizers = std::make_shared<LocalTokenizers>(LocalTokenizers{{"m", tokenizer}});
  }
  ~AgreementTest() override { loop.run_task(checker.stop()); }

  void look() {
    checker.look(set, tokenizers);
    loop.advance(std::chrono::milliseconds(500));
    checker.look(set, tokenizers);
  }
  Features agreed() const { return tokenizer->agreed.load(); }
  Features all() const { return tokenizer->tokenizer->features(); }
  discovery::Endpoint& engine(std::size_t index) {
    return *set->find("m")->replicas[index].endpoint;
  }
  double checks(const char* result) {
    return static_cast<double>(instruments.tokenizer_checks.with("m", result).value());
  }

  net_testing::ManualLoop loop;
  net_testing::FakeNetwork network{loop};
  http::ClientPool clients{loop, network};
  telemetry::Registry registry;
  telemetry::Instruments instruments{registry};
  config::Config config;
  discovery::EndpointTable table;
  std::shared_ptr<const discovery::EndpointSet> set;
  std::shared_ptr<LocalTokenizer> tokenizer;
  std::vector<Probe> probes;
  std::shared_ptr<const LocalTokenizers> tokenizers;
  std::map<std::string, std::function<std::string(const Probe&)>> answers;
  std::map<std::string, std::size_t> asked;
  AgreementChecker checker{loop, clients, instruments};
};

TEST_F(AgreementTest, EveryKindIsUsedWhereAllEnginesAgree) {
  EXPECT_EQ(agreed(), 0U) << "not before they were asked";
  look();
  EXPECT_EQ(agreed(), all());
  EXPECT_EQ(checks("agrees"), 2);
  EXPECT_EQ(instruments.local_tokenizer.with("m").value(), 1);
  EXPECT_EQ(asked["a"], probes.size());
}

TEST_F(AgreementTest, OneEngineThatDiffersIsEnough) {
  answers["b"] = [](const Probe&) { return answer_of(200, "1,2,3"); };
  look();
  EXPECT_EQ(agreed(), 0U);
  EXPECT_EQ(checks("differs"), 1);
  EXPECT_EQ(instruments.local_tokenizer.with("m").value(), 0);
  engine(1).set_health(discovery::Health::kUnhealthy);
  look();
  EXPECT_EQ(agreed(), all()) << "an engine that is gone has no say";
}

TEST_F(AgreementTest, OnlyTheKindThatDiffersIsLeftToTheEngines) {
  answers["a"] = [this](const Probe& probe) {
    const std::string ids = ids_text(*tokenizer->tokenizer, probe.body);
    return answer_of(200, probe.feature == prompt::kTools ? "1," + ids : ids);
  };
  look();
  EXPECT_EQ(agreed(), all() & ~Features{prompt::kTools});
  EXPECT_TRUE(tokenizer->may_tokenize(prompt::kChat));
  EXPECT_FALSE(tokenizer->may_tokenize(prompt::kChat | prompt::kTools));
  EXPECT_EQ(checks("partly"), 1);
}

TEST_F(AgreementTest, AnEngineThatRefusesWhatIsRenderedHereDiffers) {
  answers["a"] = [this](const Probe& probe) {
    return answer_of(probe.feature == prompt::kToolCalls ? 400 : 200,
                     ids_text(*tokenizer->tokenizer, probe.body));
  };
  look();
  EXPECT_EQ(agreed(), all() & ~Features{prompt::kToolCalls});
}

TEST_F(AgreementTest, AnEngineWithoutAnAnswerIsAskedAgainSoon) {
  answers["a"] = answers["b"] = [](const Probe&) { return answer_of(404, ""); };
  look();
  EXPECT_EQ(agreed(), 0U);
  EXPECT_EQ(checks("no_answer"), 2);
  answers["a"] = [this](const Probe& probe) {
    return answer_of(200, ids_text(*tokenizer->tokenizer, probe.body));
  };
  asked["a"] = 0;
  loop.advance(seconds(6));
  look();
  EXPECT_EQ(agreed(), all()) << "what the others do not say does not count against it";
}

TEST_F(AgreementTest, AnEngineThatComesBackIsAskedAtOnce) {
  look();
  look();
  EXPECT_EQ(asked["a"], probes.size()) << "not again within the interval";
  engine(0).set_health(discovery::Health::kUnhealthy);
  look();
  answers["a"] = [](const Probe&) { return answer_of(200, "7"); };
  engine(0).set_health(discovery::Health::kHealthy);
  look();
  EXPECT_EQ(agreed(), 0U) << "it is another process now";
}

TEST_F(AgreementTest, EnginesAreAskedAgainAtTheInterval) {
  look();
  answers["b"] = [](const Probe&) { return answer_of(200, "7"); };
  loop.advance(seconds(31));
  look();
  EXPECT_EQ(agreed(), 0U) << "a restart between two health checks";
}

TEST_F(AgreementTest, WithoutTokenizersNobodyIsAsked) {
  checker.look(set, std::make_shared<LocalTokenizers>());
  checker.look(set, nullptr);
  loop.advance(seconds(60));
  EXPECT_EQ(asked["a"] + asked["b"], 0U);
}

TEST(LocalTokenizers, AreTakenOverByAReload) {
  telemetry::Registry registry;
  telemetry::Instruments instruments(registry);
  config::KvEvents settings;
  settings.enabled = true;
  settings.tokenizers = {{"m", kFolder}, {"n", "/nonexistent"}};
  const auto first = load_tokenizers(settings, nullptr, instruments);
  ASSERT_EQ(first->size(), 1U);
  first->at("m")->agreed = prompt::kChat;
  const auto second = load_tokenizers(settings, first.get(), instruments);
  EXPECT_EQ(second->at("m"), first->at("m"));
  settings.enabled = false;
  EXPECT_TRUE(load_tokenizers(settings, first.get(), instruments)->empty());
}

}  // namespace
}  // namespace signalbox::upstream
