#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "base/file.h"
#include "batch/api.h"
#include "net/testing/manual_loop.h"

namespace signalbox::batch {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

// A store, a runner and engines that answer as the test says, on a loop with virtual time.
class Batches : public ::testing::Test {
 protected:
  Batches() {
    std::string name = (fs::temp_directory_path() / "signalbox-batch-XXXXXX").string();
    settings.directory = mkdtemp(name.data());
    batch_settings.enabled = true;
    batch_settings.concurrent_max = 2;
    open();
  }
  ~Batches() override {
    close();
    std::error_code error;
    fs::remove_all(settings.directory, error);
  }

  void open() {
    auto opened = FileStore::open(settings, 1);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::make_unique<FileStore>(*std::move(opened));
    runner = std::make_unique<Runner>(
        loop, *store, batch_settings,
        [this](Request request, net::Cancellation* cancel) {
          return execute(std::move(request), cancel);
        },
        seed++);
    ASSERT_TRUE(runner->start());
  }
  // As a process that ends.
  void close() {
    if (!runner) return;
    loop.run_task(runner->stop());
    runner.reset();
  }

  net::Task<Answer> execute(Request request, net::Cancellation* cancel) {
    ++running;
    most_running = std::max(most_running, running);
    asked.push_back(request.body);
    const net::OneShot<bool> gone(loop);
    const net::Cancellation::Registration registration(*cancel, [gone] { gone.set(true); });
    co_await gone.wait(Deadline::after(loop.now(), seconds(10)));
    --running;
    Answer answer;
    answer.status = busy > 0 ? 503 : request.body.find("bad") != std::string::npos ? 400 : 200;
    if (busy > 0) --busy;
    answer.body = R"({"echo":)" + request.body + "}";
    co_return answer;
  }

  static std::string line(int number, const std::string& word = "good") {
    return R"({"custom_id":"r)" + std::to_string(number) +
           R"(","method":"POST","url":"/v1/completions","body":{"prompt":")" + word +
           std::to_string(number) + "\"}}\n";
  }
  std::string upload(const std::string& content, const std::string& owner = "") {
    FileInfo file;
    file.owner = owner;
    file.name = "in.jsonl";
    file.purpose = "batch";
    const auto made = store->create(std::move(file), content);
    EXPECT_TRUE(made);
    return made->id;
  }
  Batch make(const std::string& input) {
    Batch batch;
    batch.endpoint = "/v1/completions";
    batch.input_file = input;
    const auto made = runner->create(std::move(batch));
    EXPECT_TRUE(made) << made.error().message;
    return *made;
  }
  const Batch& now(const Batch& batch) { return *runner->find(batch.owner, batch.id); }
  // Answers of a finished batch, by custom_id.
  std::set<std::string> ids_in(const std::string& file) {
    std::set<std::string> ids;
    std::ifstream in(store->content_path(file));
    for (std::string text; std::getline(in, text);) ids.insert(answered_id(text));
    return ids;
  }

  net_testing::ManualLoop loop;
  config::Files settings;
  config::Batches batch_settings;
  std::unique_ptr<FileStore> store;
  std::unique_ptr<Runner> runner;
  std::uint64_t seed = 7;
  int busy = 0;
  int running = 0;
  int most_running = 0;
  std::vector<std::string> asked;
};

TEST_F(Batches, EveryLineIsDoneAndItsAnswerKept) {
  const Batch batch = make(upload(line(1) + "\n" + line(2, "bad") + line(3)));
  loop.advance(seconds(60));
  const Batch& done = now(batch);
  EXPECT_EQ(done.status, Status::kCompleted);
  EXPECT_EQ(done.total, 3);
  EXPECT_EQ(done.completed, 2);
  EXPECT_EQ(done.failed, 1);
  EXPECT_EQ(ids_in(done.output_file), (std::set<std::string>{"r1", "r3"}));
  EXPECT_EQ(ids_in(done.error_file), (std::set<std::string>{"r2"}));
  EXPECT_LE(most_running, 2) << "no more at a time than allowed";
}

TEST_F(Batches, AMistakeInTheFileFailsItBeforeAnythingIsDone) {
  for (const std::string& text :
       {std::string("not json\n"), line(1) + line(1), std::string("\n"),
        std::string(R"({"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{}})")}) {
    const Batch batch = make(upload(text));
    loop.advance(seconds(1));
    EXPECT_EQ(now(batch).status, Status::kFailed) << text;
    EXPECT_FALSE(now(batch).problem.empty());
  }
  EXPECT_TRUE(asked.empty());
}

TEST_F(Batches, BusyEnginesAreAskedAgainLater) {
  busy = 3;
  const Batch batch = make(upload(line(1)));
  loop.advance(seconds(120));
  EXPECT_EQ(now(batch).completed, 1);
  EXPECT_EQ(asked.size(), 4u);
}

TEST_F(Batches, ABatchGoesOnWhereItsProcessEnded) {
  std::string text;
  for (int i = 0; i < 10; ++i) text += line(i);
  const Batch batch = make(upload(text));
  loop.advance(seconds(25));  // two rounds of two are done
  close();
  const std::size_t before = asked.size();
  EXPECT_EQ(before, 6u);
  // Half a line, as a process that is killed leaves it.
  std::ofstream(settings.directory + "/" + batch.id + ".output", std::ios::app)
      << R"({"custom_id":"r9)";
  open();
  loop.advance(seconds(120));
  const Batch& done = now(batch);
  EXPECT_EQ(done.status, Status::kCompleted);
  EXPECT_EQ(done.completed, 10);
  EXPECT_EQ(ids_in(done.output_file).size(), 10u);
  EXPECT_EQ(asked.size() - before, 6u) << "only what had no answer is asked again";
}

TEST_F(Batches, CancellingKeepsWhatIsDone) {
  std::string text;
  for (int i = 0; i < 10; ++i) text += line(i);
  const Batch batch = make(upload(text));
  loop.advance(seconds(25));
  const auto cancelled = runner->cancel("", batch.id);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->status, Status::kCancelling);
  loop.advance(seconds(1));
  EXPECT_EQ(now(batch).status, Status::kCancelled);
  EXPECT_EQ(now(batch).completed, 4);
  EXPECT_EQ(ids_in(now(batch).output_file).size(), 4u);
  EXPECT_FALSE(runner->cancel("", batch.id)) << "it has ended";
}

TEST_F(Batches, EnginesThatStayBusyAreGivenUpOn) {
  std::string text;
  for (int i = 0; i < 4; ++i) text += line(i);
  busy = 1'000'000;
  const Batch batch = make(upload(text));
  loop.advance(std::chrono::hours(1));
  EXPECT_EQ(now(batch).status, Status::kCompleted);
  EXPECT_EQ(now(batch).failed, 4);
}

TEST_F(Batches, NobodySeesWhatBelongsToAnother) {
  const std::string file = upload(line(1), "ann");
  EXPECT_EQ(store->find("bob", file), nullptr);
  EXPECT_FALSE(store->remove("bob", file));
  Batch batch;
  batch.owner = "bob";
  batch.endpoint = "/v1/completions";
  batch.input_file = file;
  EXPECT_EQ(runner->create(std::move(batch)).error().code, Code::kNotFound);
}

TEST_F(Batches, FilesOutliveAProcessAndLeftoversDoNot) {
  const std::string file = upload("content");
  std::ofstream(settings.directory + "/file-halfdone") << "x";
  close();
  open();
  ASSERT_NE(store->find("", file), nullptr);
  EXPECT_EQ(store->find("", file)->name, "in.jsonl");
  EXPECT_EQ(*store->read(file, 3, 100), "tent");
  EXPECT_FALSE(fs::exists(settings.directory + "/file-halfdone"));
}

TEST_F(Batches, SpaceIsBounded) {
  settings.file_bytes_max = 10;
  settings.total_bytes_max = 15;
  close();
  open();
  EXPECT_EQ(store->create({}, "12345678901").error().code, Code::kPayloadTooLarge);
  const auto first = store->create({}, "1234567890");
  ASSERT_TRUE(first);
  EXPECT_EQ(store->create({}, "1234567890").error().code, Code::kRateLimited);
  ASSERT_TRUE(store->remove("", first->id));
  EXPECT_TRUE(store->create({}, "1234567890"));
}

TEST_F(Batches, TheApiUploadsListsAndDeletes) {
  Call call;
  call.method = "POST";
  call.path = "/v1/files";
  call.content_type = "multipart/form-data; boundary=b";
  call.body =
      "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n"
      "Content-Disposition: form-data; name=\"file\"; filename=\"../x/in.jsonl\"\r\n\r\nhello\r\n"
      "--b--\r\n";
  const auto made = answer(call, *store, runner.get());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_NE(made->body.find(R"("filename":"in.jsonl")"), std::string::npos) << made->body;
  Call list;
  list.method = "GET";
  list.path = "/v1/files";
  list.query = "purpose=batch";
  const auto listed = answer(list, *store, runner.get());
  ASSERT_TRUE(listed);
  EXPECT_NE(listed->body.find(R"("bytes":5)"), std::string::npos) << listed->body;
  list.query = "purpose=other";
  EXPECT_NE(answer(list, *store, runner.get())->body.find(R"("data":[])"), std::string::npos);
  for (const char* path : {"/v1/files/none", "/v1/files/../../etc/passwd/content",
                           "/v1/batches/none", "/v1/files//content"}) {
    list.path = path;
    EXPECT_EQ(answer(list, *store, runner.get()).error().code, Code::kNotFound) << path;
  }
}

}  // namespace
}  // namespace signalbox::batch
