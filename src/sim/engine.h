// A model of an LLM engine without the LLM: who runs, who waits, when each token is due, what the prefix cache holds.
// Continuous batching as vLLM does it, simplified: prefills follow one another at a given speed, every running sequence
// gets one token per decode step, a full batch or a full KV cache makes others wait in order of arrival.
//
// Pure: time comes in as arguments, nothing sleeps. One engine belongs to one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kv/kv_event.h"
#include "prompt/prompt_tokenizer.h"
#include "sim/prefix_cache.h"

namespace signalbox::sim {

struct EngineOptions {
  std::string name = "sim";  // sent as x-sim-engine and in every answer
  std::string model = "base-model";
  std::vector<std::string> adapters;     // LoRA adapters served beside the model
  double prefill_tokens_per_second = 0;  // 0: prefill takes no time
  Duration decode{};                     // between two tokens of one sequence
  std::size_t running_max = 256;         // vLLM's max_num_seqs
  std::size_t waiting_max = 4096;        // further requests are refused
  std::size_t blocks = 8192;             // KV cache, in blocks of kBlockTokens
  std::size_t answer_tokens = 0;         // 0: as long as the canned answer is
  std::size_t context_tokens_max = 131072;
  std::string
      kv_endpoint;  // tcp://ADDRESS:PORT for KV events, a port of * is the system's choice; empty: none
  std::string kv_replay_endpoint;  // the same for their replay
  // Of a real model: chats and completions become its token ids. nullptr: four bytes a token.
  std::shared_ptr<const prompt::PromptTokenizer> tokenizer;
};

class Engine;

// A request inside an engine; leaves it when it dies, wherever it stands. Must not outlive the engine.
class Sequence {
 public:
  explicit Sequence(Engine& engine) : engine_(engine) {}
  ~Sequence();
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  bool running() const { return state_ == State::kRunning; }
  std::size_t cached_tokens() const { return cached_tokens_; }
  TimePoint submitted_at() const { return submitted_at_; }
  // When token `index` (from 0) leaves the engine; valid once running.
  TimePoint token_due(std::size_t index) const;

 private:
  friend class Engine;
  enum class State : std::uint8_t { kNew, kWaiting, kRunning, kDone };
  Engine& engine_;
  State state_ = State::kNew;
  std::size_t prompt_tokens_ = 0;
  std::size_t cached_tokens_ = 0;
  std::size_t blocks_needed_ = 0;
  std::vector<std::uint64_t> block_hashes_;
  std::vector<std::uint32_t> tokens_;  // only where KV events are wanted
  std::string adapter_;
  std::string cache_salt_;
  bool transferred_ = false;
  TimePoint submitted_at_;
  TimePoint first_token_at_;
  std::function<void()> on_start_;
};

class Engine {
 public:
  enum class Admission : std::uint8_t { kStarted, kQueued, kRefused };
  struct Prompt {
    std::string_view text;                            // hashed, not kept; with `ids`, their bytes
    const std::vector<std::uint32_t>* ids = nullptr;  // of a real tokenizer
    std::string adapter;                              // empty for the base model
    std::string cache_salt;
    bool transferred = false;  // its blocks come from another engine: nothing is computed
  };

  explicit Engine(EngineOptions options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Brings a new sequence in. `on_start` is called once, from within end() of another sequence, if it had to wait.
  Admission submit(Sequence& sequence, const Prompt& prompt, std::size_t answer_tokens,
                   TimePoint now, std::function<void()> on_start);
  Admission submit(Sequence& sequence, std::string_view prompt, const std::string& adapter,
                   std::size_t answer_tokens, TimePoint now, std::function<void()> on_start) {
    return submit(sequence, Prompt{.text = prompt, .adapter = adapter, .cache_salt = {}},
                  answer_tokens, now, std::move(on_start));
  }
  // Told what the prefix cache stores and drops, as a real engine tells.
  void on_kv_events(std::function<void(std::vector<kv::NamedEvent>)> listener) {
    kv_listener_ = std::move(listener);
  }
  // Takes a sequence out, finished or not; starts those that waited for its place.
  void end(Sequence& sequence, TimePoint now);

  const EngineOptions& options() const { return options_; }
  bool serves(std::string_view model) const;
  bool is_adapter(std::string_view model) const;
  // False when it is there already (load) or not there (unload).
  bool load_adapter(std::string_view name);
  bool unload_adapter(std::string_view name);

  std::size_t running() const { return running_; }
  std::size_t waiting() const { return waiting_.size(); }
  // Share of KV blocks that running sequences hold, 0..1.
  double cache_usage() const;
  // Tokens looked up in and found in the prefix cache since the start.
  std::uint64_t prefix_queries() const { return prefix_queries_; }
  std::uint64_t prefix_hits() const { return prefix_hits_; }
  // Adapter names of running and of waiting sequences, each once, comma-separated.
  std::string running_adapters() const;
  std::string waiting_adapters() const;
  void clear_prefix_cache() {
    cache_.clear();
    if (kv_listener_) kv_listener_({kv::Cleared{}});
  }

 private:
  friend class Sequence;
  bool has_room(const Sequence& sequence) const;
  void start(Sequence& sequence, TimePoint now);
  void tell(const Sequence& sequence, const PrefixCache::Use& use) const;

  EngineOptions options_;
  PrefixCache cache_;
  std::function<void(std::vector<kv::NamedEvent>)> kv_listener_;
  std::size_t running_ = 0;
  std::size_t blocks_used_ = 0;
  std::deque<Sequence*> waiting_;
  std::vector<Sequence*> active_;
  TimePoint prefill_free_at_{};
  std::uint64_t prefix_queries_ = 0;
  std::uint64_t prefix_hits_ = 0;
};

}  // namespace signalbox::sim
