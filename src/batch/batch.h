// A batch: requests of one file, done one by one through the router, answers collected in another file. This is the record
// of one, and its form on disk and in the API (OpenAI's Batch API).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace signalbox::batch {

enum class Status : std::uint8_t {
  kValidating,
  kInProgress,
  kFinalizing,
  kCompleted,
  kFailed,   // the file is no batch
  kExpired,  // the window was over first
  kCancelling,
  kCancelled
};
std::string_view status_word(Status status);
// Nothing will change any more.
bool is_final(Status status);

struct Batch {
  std::string id;     // "batch_" and 32 hex digits
  std::string owner;  // as of its file
  std::string endpoint;
  std::string input_file;
  std::string window = "24h";
  std::string metadata = "null";  // JSON of the client
  Status status = Status::kValidating;
  std::string output_file;  // ids; empty until there are any
  std::string error_file;
  std::string problem;  // of kFailed
  std::int64_t problem_line = 0;
  std::int64_t total = 0;
  std::int64_t completed = 0;
  std::int64_t failed = 0;
  // Unix seconds; 0: not yet.
  std::int64_t created_at = 0;
  std::int64_t begun_at = 0;
  std::int64_t expires_at = 0;
  std::int64_t ended_at = 0;
  std::int64_t cancelling_at = 0;
};

// As the API shows it.
std::string batch_json(const Batch& batch);
// On disk: all of it. Errors of reading: kCorrupt.
std::string stored_json(const Batch& batch);
Result<Batch> read_batch(std::string_view stored);

// One line of the input.
struct Line {
  std::string custom_id;
  std::string url;
  std::string body;  // JSON
};
// Errors: kInvalidArgument: no JSON, members missing, another method or url than the batch's.
Result<Line> read_line(std::string_view text, const Batch& batch);

// One line of the output, without its newline. `body` is JSON or empty; `error` empty where an engine answered.
std::string answer_line(const std::string& request_id, const Line& line, int status,
                        std::string_view body, std::string_view error);
// The custom_id of such a line; empty when it is none.
std::string answered_id(std::string_view line);

}  // namespace signalbox::batch
