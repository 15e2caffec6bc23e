#include "batch/runner.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/log.h"

namespace signalbox::batch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRecord = ".batch";
constexpr std::string_view kOutput = ".output";
constexpr std::string_view kErrors = ".errors";
constexpr std::int64_t kWindowSeconds = 24 * 60 * 60;
constexpr std::uint64_t kRecordBytesMax = 1 << 20;
constexpr int kTriesMax = 6;
constexpr std::chrono::seconds kFirstPause{1};

constexpr std::array<std::string_view, 7> kEndpoints = {
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses",
    "/v1/messages",         "/v1/rerank",      "/v1/score"};

// Worth another try after a pause: the engines are busy or away, and a batch has a day's time.
bool is_passing(int status) {
  return status == 0 || status == 429 || (status >= 502 && status <= 504);
}

// The whole lines of a file of answers, by custom_id; half a line at its end is cut off.
std::set<std::string> answered_lines(const std::string& path, std::int64_t& count) {
  std::set<std::string> done;
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::uint64_t whole = 0;
  while (std::getline(file, line) && !file.eof()) {
    whole += line.size() + 1;
    if (auto id = answered_id(line); !id.empty() && done.insert(std::move(id)).second) ++count;
  }
  file.close();
  std::error_code error;
  if (fs::exists(path, error) && fs::file_size(path, error) > whole)
    fs::resize_file(path, whole, error);
  return done;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

// The batch under way.
struct Runner::Run {
  Batch* batch = nullptr;
  std::ifstream input;
  std::ofstream output;
  std::ofstream errors;
  std::set<std::string> done;  // by custom_id, from an earlier process
  net::Cancellation cancel;
  bool expired = false;
};

Runner::Runner(net::Loop& loop, FileStore& files, const config::Batches& settings, Execute execute,
               std::uint64_t seed)
    : loop_(loop),
      files_(files),
      settings_(settings),
      execute_(std::move(execute)),
      random_(seed),
      tasks_(loop) {}

Runner::~Runner() { SBX_ASSERT(tasks_.size() == 0); }

std::int64_t Runner::now() const {
  return std::chrono::floor<std::chrono::seconds>(loop_.clock().unix_time()).count();
}

std::string Runner::path_of(const Batch& batch, std::string_view ending) const {
  return fmt::format("{}/{}{}", files_.directory(), batch.id, ending);
}

void Runner::save(const Batch& batch) {
  if (auto written = write_whole(path_of(batch, kRecord), stored_json(batch)); !written)
    log::error("batch {}: {}", batch.id, written.error().message);
}

Result<void> Runner::start() {
  std::error_code error;
  std::vector<Batch> unfinished;
  for (const auto& entry : fs::directory_iterator(files_.directory(), error)) {
    if (entry.path().extension() != kRecord) continue;
    const auto text = read_file(entry.path().string(), kRecordBytesMax);
    auto batch = text ? read_batch(*text) : Result<Batch>(fail(Code::kCorrupt, "unreadable"));
    if (!batch) {
      log::warning("batch {} is left out: {}", entry.path().string(), batch.error().message);
      continue;
    }
    if (!is_final(batch->status)) unfinished.push_back(*batch);
    batches_.insert_or_assign(batch->id, *std::move(batch));
  }
  if (error) return fail(Code::kIo, fmt::format("cannot read {}", files_.directory()));
  std::ranges::sort(unfinished, {},
                    [](const Batch& batch) { return std::pair(batch.created_at, batch.id); });
  for (const Batch& batch : unfinished) waiting_.push_back(batch.id);
  begin_next();
  return {};
}

net::Task<void> Runner::stop() {
  stopping_ = true;
  if (current_) current_->cancel.cancel();
  co_await tasks_.join();
}

Result<Batch> Runner::create(Batch batch) {
  if (std::ranges::find(kEndpoints, batch.endpoint) == kEndpoints.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("endpoint '{}' takes no batches", batch.endpoint), "endpoint");
  }
  if (batch.window != "24h")
    return fail(Code::kInvalidArgument, "completion_window must be 24h", "completion_window");
  const FileInfo* input = files_.find(batch.owner, batch.input_file);
  if (input == nullptr) return fail(Code::kNotFound, "no file has this id", "input_file_id");
  forget_old();
  if (batches_.size() >= limits::kBatchesMax)
    return fail(Code::kRateLimited, "too many batches are under way");
  batch.id = "batch_" + random_hex(random_, 2);
  batch.created_at = now();
  batch.expires_at = batch.created_at + kWindowSeconds;
  SBX_CHECK_OK(write_whole(path_of(batch, kRecord), stored_json(batch)));
  batches_.emplace(batch.id, batch);
  waiting_.push_back(batch.id);
  begin_next();
  return batches_.find(batch.id)->second;
}

// Only ended batches are forgotten, the oldest first; their answers stay as files.
void Runner::forget_old() {
  while (batches_.size() >= limits::kBatchesMax) {
    auto oldest = batches_.end();
    for (auto at = batches_.begin(); at != batches_.end(); ++at) {
      if (!is_final(at->second.status)) continue;
      if (oldest == batches_.end() || at->second.created_at < oldest->second.created_at)
        oldest = at;
    }
    if (oldest == batches_.end()) return;
    std::remove(path_of(oldest->second, kRecord).c_str());
    batches_.erase(oldest);
  }
}

const Batch* Runner::find(std::string_view owner, std::string_view id) const {
  const auto at = batches_.find(id);
  return at == batches_.end() || at->second.owner != owner ? nullptr : &at->second;
}

std::vector<const Batch*> Runner::list(std::string_view owner, const Page& page) const {
  std::vector<const Batch*> all;
  for (const auto& [id, batch] : batches_) {
    if (batch.owner == owner) all.push_back(&batch);
  }
  std::ranges::sort(all, [](const Batch* a, const Batch* b) {
    return std::pair(b->created_at, b->id) < std::pair(a->created_at, a->id);
  });
  if (!page.after.empty()) {
    const auto at = std::ranges::find(all, page.after, &Batch::id);
    all.erase(all.begin(), at == all.end() ? all.end() : at + 1);
  }
  return all;
}

Result<Batch> Runner::cancel(std::string_view owner, std::string_view id) {
  const auto at = batches_.find(id);
  if (at == batches_.end() || at->second.owner != owner)
    return fail(Code::kNotFound, "no batch has this id", "batch_id");
  Batch& batch = at->second;
  if (is_final(batch.status)) {
    return fail(Code::kInvalidArgument,
                fmt::format("the batch is {} already", status_word(batch.status)), "batch_id");
  }
  batch.cancelling_at = now();
  batch.status = Status::kCancelling;
  save(batch);
  if (current_ && current_->batch == &batch) current_->cancel.cancel();
  Batch shown = batch;
  begin_next();
  return shown;
}

void Runner::begin_next() {
  if (current_ || stopping_ || waiting_.empty()) return;
  const auto at = batches_.find(waiting_.front());
  waiting_.pop_front();
  if (at == batches_.end()) return begin_next();
  current_ = std::make_shared<Run>();
  current_->batch = &at->second;
  tasks_.spawn(run(current_));
}

// Every line is looked at before the first is done, so that a mistake costs nothing.
Result<void> Runner::validate(Run& run) {
  Batch& batch = *run.batch;
  const std::string path = files_.content_path(batch.input_file);
  run.input.open(path, std::ios::binary);
  if (!run.input || files_.find(batch.owner, batch.input_file) == nullptr)
    return fail(Code::kNotFound, "the input file is gone");
  std::set<std::string> ids;
  std::string text;
  std::int64_t number = 0;
  while (std::getline(run.input, text)) {
    ++number;
    if (is_blank(text)) continue;
    batch.problem_line = number;
    if (text.size() > limits::kBatchLineBytesMax)
      return fail(Code::kPayloadTooLarge, "the line is too long");
    SBX_TRY(auto line, read_line(text, batch));
    if (!ids.insert(std::move(line.custom_id)).second)
      return fail(Code::kInvalidArgument, "custom_id stands twice in the file");
    if (ids.size() > limits::kBatchRequestsMax) {
      return fail(Code::kPayloadTooLarge,
                  fmt::format("a batch may have {} requests", limits::kBatchRequestsMax));
    }
  }
  batch.problem_line = 0;
  if (ids.empty()) return fail(Code::kInvalidArgument, "the file holds no request");
  batch.total = static_cast<std::int64_t>(ids.size());
  run.input.clear();
  run.input.seekg(0);
  return {};
}

net::Task<void> Runner::run(std::shared_ptr<Run> run) {
  Batch& batch = *run->batch;
  if (auto valid = validate(*run); !valid) {
    batch.problem = valid.error().message;
    batch.status = Status::kFailed;
  } else {
    if (batch.status == Status::kValidating) batch.status = Status::kInProgress;
    if (batch.begun_at == 0) batch.begun_at = now();
    batch.completed = batch.failed = 0;
    run->done = answered_lines(path_of(batch, kOutput), batch.completed);
    run->done.merge(answered_lines(path_of(batch, kErrors), batch.failed));
    run->output.open(path_of(batch, kOutput), std::ios::binary | std::ios::app);
    run->errors.open(path_of(batch, kErrors), std::ios::binary | std::ios::app);
    save(batch);
    if (batch.status == Status::kCancelling) run->cancel.cancel();
    net::TaskGroup workers(loop_);
    for (int i = 0; i < settings_.concurrent_max; ++i) workers.spawn(work(run));
    co_await workers.join();
  }
  if (!stopping_) finish(*run);
  current_.reset();
  begin_next();
}

net::Task<void> Runner::work(std::shared_ptr<Run> run) {
  std::string text;
  while (!run->cancel.cancelled() && std::getline(run->input, text)) {
    if (is_blank(text)) continue;
    if (now() > run->batch->expires_at) {
      run->expired = true;
      run->cancel.cancel();
      break;
    }
    auto line = read_line(text, *run->batch);
    if (!line || run->done.contains(line->custom_id)) continue;
    co_await do_line(run, *std::move(line));
  }
}

net::Task<void> Runner::do_line(std::shared_ptr<Run> run, Line line) {
  Answer answer;
  std::string id;
  Duration pause = kFirstPause;
  for (int tries = 1; tries <= kTriesMax; ++tries, pause *= 2) {
    id = random_hex(random_, 2);
    Request request;
    request.path = line.url;
    request.body = line.body;
    request.owner = run->batch->owner;
    request.id = id;
    answer = co_await execute_(std::move(request), &run->cancel);
    if (run->cancel.cancelled()) co_return;  // not counted: it is done again, or not at all
    if (!is_passing(answer.status) || tries == kTriesMax) break;
    const net::OneShot<bool> ended(loop_);
    const net::Cancellation::Registration registration(run->cancel, [ended] { ended.set(true); });
    co_await ended.wait(Deadline::after(loop_.now(), pause));
    if (run->cancel.cancelled()) co_return;
  }
  const bool good = answer.status >= 200 && answer.status < 300;
  auto& file = good ? run->output : run->errors;
  file << answer_line(id, line, answer.status, answer.body,
                      answer.status == 0 ? std::string_view(answer.body) : std::string_view())
       << '\n'
       << std::flush;
  ++(good ? run->batch->completed : run->batch->failed);
}

void Runner::finish(Run& run) {
  Batch& batch = *run.batch;
  run.output.close();
  run.errors.close();
  const auto keep = [&](std::string_view ending, std::int64_t lines, std::string& id) {
    const std::string path = path_of(batch, ending);
    if (lines == 0) {
      std::remove(path.c_str());
      return;
    }
    FileInfo file;
    file.owner = batch.owner;
    file.name = batch.id + std::string(ending == kOutput ? "_output.jsonl" : "_error.jsonl");
    file.purpose = "batch_output";
    auto kept = files_.adopt(std::move(file), path);
    if (kept) {
      id = kept->id;
    } else {
      log::error("batch {}: {}", batch.id, kept.error().message);
    }
  };
  keep(kOutput, batch.completed, batch.output_file);
  keep(kErrors, batch.failed, batch.error_file);
  if (batch.status == Status::kCancelling) {
    batch.status = Status::kCancelled;
  } else if (run.expired) {
    batch.status = Status::kExpired;
  } else if (batch.status != Status::kFailed) {
    batch.status = Status::kCompleted;
  }
  batch.ended_at = now();
  save(batch);
  log::info("batch {} is {}: {} done, {} failed of {}", batch.id, status_word(batch.status),
            batch.completed, batch.failed, batch.total);
}

}  // namespace signalbox::batch
