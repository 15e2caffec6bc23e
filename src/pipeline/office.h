// Files and batches have a thread of their own: a loop, a pipeline for the requests of batches, and the store. Cores hand
// calls over and wait; nothing of a disk happens on them.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "batch/api.h"
#include "batch/file_store.h"
#include "batch/runner.h"
#include "net/loop.h"
#include "net/network.h"
#include "pipeline/pipeline.h"
#include "pipeline/services.h"

namespace signalbox::pipeline {

class Office {
 public:
  // Errors: kIo, as of FileStore::open.
  static Result<std::unique_ptr<Office>> open(Services& services, const config::Own& own);
  ~Office();
  Office(const Office&) = delete;
  Office& operator=(const Office&) = delete;

  // Unfinished batches go on from here.
  void start();
  // Ends requests of batches, which the next start does again, and the thread. After the cores.
  void stop();

  // From any loop. Errors: those of batch::answer; kOverloaded when limits::kOfficeQueueMax calls wait.
  net::Task<Result<batch::Reply>> ask(batch::Call call, net::Loop* loop, Deadline deadline);
  // A piece of a file's content.
  net::Task<Result<std::string>> read(std::string id, std::uint64_t offset, net::Loop* loop,
                                      Deadline deadline);

 private:
  Office(Services& services, const config::Own& own, batch::FileStore files);
  net::Task<batch::Answer> execute(batch::Request request, net::Cancellation* cancel);
  net::Task<void> finish();
  template <class T, class Fn>
  net::Task<Result<T>> hand_over(Fn work, net::Loop* loop, Deadline deadline);

  Services& services_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<net::Network> network_;
  Pipeline pipeline_;
  batch::FileStore files_;
  std::unique_ptr<batch::Runner> runner_;
  net::TaskGroup tasks_;
  std::atomic<std::size_t> waiting_{0};
  std::thread thread_;
};

}  // namespace signalbox::pipeline
