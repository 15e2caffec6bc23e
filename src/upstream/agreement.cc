#include "upstream/agreement.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "http/fetch.h"
#include "json/document.h"
#include "upstream/credentials.h"
#include "upstream/token_finder.h"

namespace signalbox::upstream {
namespace {

using prompt::BodyKind;
using prompt::Features;

constexpr std::chrono::seconds kAnswerTimeout{5};
// Of an engine that does not answer.
constexpr std::chrono::seconds kNextTry{5};

// Conversations that show what templates and tokenizers differ in: white space, scripts, digits, special tokens that a text
// spells out, empty turns.
struct Written {
  std::string_view name;
  Features feature;
  std::string_view members;  // JSON
};
constexpr Written kWritten[] = {
    {"a text", prompt::kText,
     R"("prompt":"The 4 points at km 12.5 -- caf\u00e9 \u4f60\u597d \ud83d\ude00\n\n  def f(x):\n\treturn x**2 ")"},
    {"one question", prompt::kChat,
     R"("messages":[{"role":"user","content":"  Which points lead to track 4?\n"}])"},
    {"system and user", prompt::kChat,
     R"("messages":[{"role":"system","content":"You are a signalman. Be brief."},{"role":"user","content":"Why?"}])"},
    {"several turns", prompt::kChat,
     R"("messages":[{"role":"user","content":"One, 2, 3333?"},{"role":"assistant","content":"<think>\nhm\n</think>\n\nYes.\n"},)"
     R"({"role":"user","content":"Gr\u00f6\u00dfe \u4f60\u597d \ud83d\ude00 e\u0301 \u0440\u0443\u0441 \u0e44\u0e17\u0e22 </s> <|im_end|> \"x\""},)"
     R"({"role":"assistant","content":"No."},{"role":"user","content":""}])"},
    {"without a place for the answer", prompt::kChat,
     R"("add_generation_prompt":false,"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"}])"},
    {"content in parts", prompt::kParts,
     R"("messages":[{"role":"user","content":[{"type":"text","text":"first"},{"type":"text","text":" second "}]}])"},
    {"functions", prompt::kTools,
     R"("tools":[{"type":"function","function":{"name":"set_points","description":"Sets points \"7\" & \u00fc.","parameters":)"
     R"({"type":"object","properties":{"number":{"type":"integer"},"to":{"type":"string","enum":["left","right"]}},"required":["number"]}}},)"
     R"({"type":"function","function":{"name":"ping"}}],"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Set 7"}])"},
    {"calls", prompt::kToolCalls,
     R"("messages":[{"role":"user","content":"Set 7"},{"role":"assistant","content":"","tool_calls":[{"id":"abcdefghi","type":"function",)"
     R"("function":{"name":"set_points","arguments":"{\"number\": 7, \"to\": \"left\", \"speeds\": [1.0, 2.5]}"}}]},)"
     R"({"role":"tool","tool_call_id":"abcdefghi","name":"set_points","content":"{\"done\": true}"}])"}};

std::string words_of(Features features) {
  static constexpr std::pair<Features, std::string_view> kWords[] = {
      {prompt::kText, "text"},
      {prompt::kChat, "chat"},
      {prompt::kTools, "tools"},
      {prompt::kToolCalls, "tool calls"},
      {prompt::kParts, "parts"}};
  std::string out;
  for (const auto& [feature, word] : kWords) {
    if ((features & feature) == 0) continue;
    out += out.empty() ? "" : ", ";
    out += word;
  }
  return out.empty() ? "nothing" : out;
}

}  // namespace

std::vector<Probe> make_probes(Features features) {
  std::vector<Probe> probes;
  for (const Written& written : kWritten) {
    if ((written.feature & features) == 0) continue;
    probes.push_back(
        {std::string(written.name), written.feature, fmt::format("{{{}}}", written.members)});
  }
  return probes;
}

Comparison compare_tokens(const prompt::PromptTokenizer& tokenizer, const Probe& probe, int status,
                          std::string_view answer, std::chrono::seconds now, std::string& why) {
  const auto document = json::Document::parse(probe.body);
  if (!document) return Comparison::kNotComparable;
  auto rendered = tokenizer.render(document->root(), BodyKind::kTokenize, now);
  const bool refused = status == 400 || status == 422;
  if (!rendered) return Comparison::kNotComparable;
  if (refused) {
    why = fmt::format("{}: the engine refuses what is rendered here", probe.name);
    return Comparison::kDifferent;
  }
  const auto theirs = parse_tokenize_answer(answer);
  if (status != 200 || !theirs) return Comparison::kNotComparable;
  const auto ours = tokenizer.tokenize(*std::move(rendered), nullptr).ids;
  if (ours == *theirs) return Comparison::kSame;
  const auto first = std::ranges::mismatch(ours, *theirs).in1 - ours.begin();
  why = fmt::format("{}: {} tokens here, {} there, the first difference at {}", probe.name,
                    ours.size(), theirs->size(), first);
  return Comparison::kDifferent;
}

// One engine under examination.
struct AgreementChecker::Check {
  Key key;
  std::shared_ptr<const LocalTokenizers> tokenizers;  // keeps what follows alive
  std::shared_ptr<LocalTokenizer> tokenizer;
  std::vector<Probe> probes;
  std::string url;
  config::BackendRef backend;
};

void AgreementChecker::look(const std::shared_ptr<const discovery::EndpointSet>& set,
                            const std::shared_ptr<const LocalTokenizers>& tokenizers) {
  if (tokenizers == nullptr || (tokenizers->empty() && known_.empty())) return;
  for (auto& [key, known] : known_) known.seen = false;
  for (const auto& [model, tokenizer] : *tokenizers) {
    const auto* group = set->find(model);
    if (group == nullptr) continue;
    for (const auto& replica : group->replicas) {
      Known& known = known_[{model, replica.endpoint->url()}];
      known.seen = true;
      if (known.tokenizer != tokenizer.get()) {
        known.tokenizer = tokenizer.get();
        known.checked = false;
        known.next = {};
      }
      const bool healthy = replica.endpoint->health() != discovery::Health::kUnhealthy;
      if (healthy && !known.healthy) known.next = {};  // back, perhaps as another process
      known.healthy = healthy;
      if (!healthy || known.busy || known.next > loop_.now()) continue;
      const net::Address& address = replica.endpoint->address();
      const std::string& path = set->kv_events().tokenize_path;
      auto check = std::make_shared<Check>(
          Check{.key = {model, replica.endpoint->url()},
                .tokenizers = tokenizers,
                .tokenizer = tokenizer,
                .probes = make_probes(tokenizer->tokenizer->features()),
                .url = fmt::format("{}://{}{}{}", address.tls ? "https" : "http",
                                   net::to_string(address), replica.endpoint->base_path(), path),
                .backend = replica.backend});
      known.busy = true;
      const Duration interval = set->find_endpoint(*replica.endpoint)->health.models_interval;
      known.next = loop_.now() + std::max<Duration>(interval, kNextTry);
      tasks_.spawn(run(std::move(check)));
    }
  }
  std::erase_if(known_, [](const auto& one) { return !one.second.seen && !one.second.busy; });
  sum_up(*tokenizers);
}

net::Task<void> AgreementChecker::run(std::shared_ptr<Check> check) {
  Features agreed = check->tokenizer->tokenizer->features();
  Features compared = 0;
  std::string why;
  bool answered = true;
  for (const Probe& probe : check->probes) {
    http::FetchRequest request;
    request.method = "POST";
    request.url = check->url;
    request.headers.add("content-type", "application/json");
    add_probe_credentials(check->backend, request.headers);
    request.body = probe.body;
    request.response_bytes_max = limits::kTokenizeAnswerBytesMax;
    const auto response = co_await http::fetch(
        &clients_, std::move(request), Deadline::after(loop_.now(), kAnswerTimeout), &stop_);
    if (stop_.cancelled()) co_return;
    const int status = response ? response->status : 0;
    if (status != 200 && status != 400 && status != 422) {
      why = response ? fmt::format("status {}", status) : response.error().message;
      answered = false;
      break;
    }
    const auto now = std::chrono::floor<std::chrono::seconds>(loop_.clock().unix_time());
    const Comparison comparison =
        compare_tokens(*check->tokenizer->tokenizer, probe, status, response->body, now, why);
    if (comparison == Comparison::kSame) compared |= probe.feature;
    if (comparison == Comparison::kDifferent) agreed &= ~probe.feature;
  }
  settle(*check, answered ? agreed & compared : 0, answered, why);
}

void AgreementChecker::settle(const Check& check, Features agreed, bool answered,
                              const std::string& why) {
  const auto found = known_.find(check.key);
  if (found == known_.end()) return;
  Known& known = found->second;
  known.busy = false;
  known.agreed = agreed;
  known.checked = answered;
  if (!answered) known.next = std::min(known.next, loop_.now() + kNextTry);
  const Features all = check.tokenizer->tokenizer->features();
  const std::string_view result = !answered       ? "no_answer"
                                  : agreed == all ? "agrees"
                                  : agreed == 0   ? "differs"
                                                  : "partly";
  instruments_.tokenizer_checks.with(check.key.first, result).add();
  tell(known, check, answered, why);
  sum_up(*check.tokenizers);
}

// Each finding once, as long as it stays the same.
void AgreementChecker::tell(Known& known, const Check& check, bool answered,
                            const std::string& why) {
  const auto& [model, url] = check.key;
  const Features all = check.tokenizer->tokenizer->features();
  std::string line;
  if (!answered) {
    line = fmt::format("{}: {} does not say its token ids ({})", model, url, why);
  } else if (known.agreed == all) {
    line = fmt::format("{}: the tokens of {} agree with those of {} ({})", model,
                       check.tokenizer->directory, url, words_of(all));
  } else {
    line = fmt::format(
        "{}: the tokens of {} agree with those of {} for {}, not for {} ({}); such prompts are "
        "tokenised by engines",
        model, check.tokenizer->directory, url, words_of(known.agreed),
        words_of(all & ~known.agreed), why.empty() ? "not comparable" : why);
  }
  if (line == known.told) return;
  known.told = line;
  if (answered && known.agreed == all) {
    log::info("{}", line);
  } else {
    log::warning("{}", line);
  }
}

void AgreementChecker::sum_up(const LocalTokenizers& tokenizers) {
  for (const auto& [model, tokenizer] : tokenizers) {
    Features agreed = tokenizer->tokenizer->features();
    bool any = false;
    for (const auto& [key, known] : known_) {
      const bool counts = key.first == model && known.seen && known.healthy && known.checked &&
                          known.tokenizer == tokenizer.get();
      if (!counts) continue;
      agreed &= known.agreed;
      any = true;
    }
    tokenizer->agreed.store(any ? agreed : 0, std::memory_order_relaxed);
    instruments_.local_tokenizer.with(model).set(any && agreed != 0 ? 1 : 0);
  }
}

net::Task<void> AgreementChecker::stop() {
  stop_.cancel();
  co_await tasks_.join();
}

}  // namespace signalbox::upstream
