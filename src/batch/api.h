// The files and batches API (OpenAI's), as calls and answers. One thread, that of the runner's loop.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "batch/file_store.h"
#include "batch/runner.h"

namespace signalbox::batch {

struct Call {
  std::string method;
  std::string path;
  std::string query;
  std::string content_type;
  std::string body;
  std::string owner;
};

struct Reply {
  std::string body;  // JSON
  // A file's content is the answer: its id and size; it is read in pieces.
  std::string content_of;
  std::uint64_t content_bytes = 0;
};

bool is_batch_path(std::string_view path);

// `runner` may be nullptr: only files. Errors: kMethodNotAllowed, kNotFound, and those of the store and the runner.
Result<Reply> answer(const Call& call, FileStore& files, Runner* runner);

}  // namespace signalbox::batch
