// Runs batches: reads their lines one after the other, has each request done by a function that the pipeline gives, and
// writes answers as they come. One loop; files are read and written in small steps.
//
// What is done survives: an answer is in the output before it is counted, and a batch that was under way when the process
// died goes on behind the last whole line of its output. A request may be done twice then, never left out.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "batch/batch.h"
#include "batch/file_store.h"
#include "config/edge.h"
#include "net/loop.h"
#include "net/task.h"

namespace signalbox::batch {

struct Request {
  std::string path;
  std::string body;
  std::string owner;
  std::string id;
};
struct Answer {
  int status = 0;  // 0: none came; `body` says why
  std::string body;
};
// Does one request. Ends soon after `cancel`.
using Execute = std::function<net::Task<Answer>(Request request, net::Cancellation* cancel)>;

class Runner {
 public:
  // Everything outlives the runner.
  Runner(net::Loop& loop, FileStore& files, const config::Batches& settings, Execute execute,
         std::uint64_t seed);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Reads the batches of the store's directory and goes on with those that are not done. Errors: kIo.
  Result<void> start();
  // Requests under way end, unfinished batches stay for the next start.
  net::Task<void> stop();

  // `batch` as the client asks for it: owner, endpoint, input_file, window, metadata.
  // Errors: kInvalidArgument, kNotFound (no such file), kRateLimited (limits::kBatchesMax), kIo.
  Result<Batch> create(Batch batch);
  const Batch* find(std::string_view owner, std::string_view id) const;
  std::vector<const Batch*> list(std::string_view owner, const Page& page) const;
  // Errors: kNotFound, kInvalidArgument (it has ended).
  Result<Batch> cancel(std::string_view owner, std::string_view id);

 private:
  struct Run;
  std::string path_of(const Batch& batch, std::string_view ending) const;
  void save(const Batch& batch);
  void begin_next();
  net::Task<void> run(std::shared_ptr<Run> run);
  net::Task<void> work(std::shared_ptr<Run> run);
  net::Task<void> do_line(std::shared_ptr<Run> run, Line line);
  Result<void> validate(Run& run);
  void finish(Run& run);
  void forget_old();
  std::int64_t now() const;

  net::Loop& loop_;
  FileStore& files_;
  config::Batches settings_;
  Execute execute_;
  Random random_;
  std::map<std::string, Batch, std::less<>> batches_;
  std::deque<std::string> waiting_;  // ids, in order of their creation
  std::shared_ptr<Run> current_;
  net::TaskGroup tasks_;
  bool stopping_ = false;
};

}  // namespace signalbox::batch
