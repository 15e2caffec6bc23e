// Do our tokens agree with an engine's own? Asks each healthy engine of a model that has a tokenizer here for the token ids
// of a few conversations, by its /tokenize, and compares. Asked when an engine is first healthy, again when it comes back,
// and every models_interval, because a restart between two health checks shows in nothing else.
//
// A kind of request (prompt::Feature) is agreed on when every engine that has answered agrees on it; without an answer
// nothing is. What changes is logged, and what was found is counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "discovery/endpoint_table.h"
#include "http/client.h"
#include "net/loop.h"
#include "net/task.h"
#include "telemetry/instruments.h"
#include "upstream/local_tokenizers.h"

namespace signalbox::upstream {

// One conversation that engines are asked about.
struct Probe {
  std::string name;
  prompt::Features feature = prompt::kChat;
  std::string body;  // of /tokenize, complete
};
// For the kinds that the tokenizer knows. No model is named: an engine takes that for its own.
std::vector<Probe> make_probes(prompt::Features features);

// What one probe showed.
enum class Comparison : std::uint8_t { kSame, kDifferent, kNotComparable };
// The answer's status and body against our own rendering. A refusal by both is no difference; where only we do not follow,
// such requests go to the engine anyway. `why` gets a line about a difference.
Comparison compare_tokens(const prompt::PromptTokenizer& tokenizer, const Probe& probe, int status,
                          std::string_view answer, std::chrono::seconds now, std::string& why);

// Lives on one loop; all members are called on its thread.
class AgreementChecker {
 public:
  AgreementChecker(net::Loop& loop, http::ClientPool& clients, telemetry::Instruments& instruments)
      : loop_(loop), clients_(clients), instruments_(instruments), tasks_(loop) {}

  // Begins the checks that are due. Cheap when none is.
  void look(const std::shared_ptr<const discovery::EndpointSet>& set,
            const std::shared_ptr<const LocalTokenizers>& tokenizers);
  net::Task<void> stop();

 private:
  // What is known of one engine and one model.
  struct Known {
    const LocalTokenizer* tokenizer = nullptr;  // that it was compared with
    bool checked = false;
    bool healthy = false;
    bool busy = false;
    bool seen = true;  // in the set that is looked at
    prompt::Features agreed = 0;
    std::string told;  // last line of the log about it
    TimePoint next{};
  };
  using Key = std::pair<std::string, std::string>;  // model, URL of the engine
  struct Check;

  net::Task<void> run(std::shared_ptr<Check> check);
  void settle(const Check& check, prompt::Features agreed, bool answered, const std::string& why);
  void tell(Known& known, const Check& check, bool answered, const std::string& why);
  void sum_up(const LocalTokenizers& tokenizers);

  net::Loop& loop_;
  http::ClientPool& clients_;
  telemetry::Instruments& instruments_;
  net::TaskGroup tasks_;
  net::Cancellation stop_;
  std::map<Key, Known> known_;
};

}  // namespace signalbox::upstream
