#include "balancer/prompt.h"

#include "base/hash.h"

namespace signalbox::balancer {
namespace {

using config::PromptMode;

constexpr std::size_t kConversationHeadBytes = 1024;

bool is_system(const exchange::Message& message) {
  return message.role == "system" || message.role == "developer";
}

void add_message(index::BlockChain& chain, std::string_view role, std::string_view text) {
  chain.add(role);
  chain.add("\n");
  chain.add(text);
  chain.add("\n");
}

void add_tools(index::BlockChain& chain, const exchange::Request& request) {
  if (request.tool_count == 0 || request.document.empty()) return;
  const auto tools = request.document.root().find("tools");
  if (tools && *tools) chain.add((*tools)->raw());
}

}  // namespace

const index::BlockChain& Prompt::chain() const {
  if (!is_read_) read();
  return chain_;
}

void Prompt::read() const {
  is_read_ = true;
  if (exchange_->handed_on && !exchange_->handed_on->blocks.empty()) {
    chain_.restore(exchange_->handed_on->blocks, exchange_->handed_on->prompt_bytes);
    return;
  }
  const auto& request = exchange_->request;
  const config::SystemPromptPlugin* injected =
      exchange_->edits.injected_system_prompt && exchange_->decision.decision != nullptr &&
              exchange_->decision.decision->plugins.system_prompt
          ? &*exchange_->decision.decision->plugins.system_prompt
          : nullptr;
  add_tools(chain_, request);
  if (injected != nullptr && injected->mode != PromptMode::kAppend)
    add_message(chain_, "system", injected->system_prompt);
  bool appended = injected == nullptr || injected->mode != PromptMode::kAppend;
  for (const auto& message : request.messages) {
    const bool system = is_system(message);
    if (system && injected != nullptr && injected->mode == PromptMode::kReplace) continue;
    if (!system && !appended) {
      add_message(chain_, "system", injected->system_prompt);
      appended = true;
    }
    add_message(chain_, message.role, message.text);
  }
}

std::optional<std::uint64_t> Prompt::conversation() const {
  std::uint64_t key = 0;
  for (const auto& message : exchange_->request.messages) {
    key = hash64(message.text.substr(0, kConversationHeadBytes), key);
    if (!is_system(message)) return key;
  }
  return std::nullopt;
}

std::uint64_t cache_salt(const exchange::Candidate& candidate) {
  return hash64(candidate.upstream_name);
}

}  // namespace signalbox::balancer
