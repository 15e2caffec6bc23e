#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <vector>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/text.h"
#include "json/document.h"
#include "net/network.h"
#include "prompt/prompt_tokenizer.h"
#include "sim/server.h"

namespace signalbox::cli {
namespace {

constexpr std::array kFlags = {
    FlagSpec{"host", "ADDRESS", "IP literal to listen on; default 127.0.0.1"},
    FlagSpec{"port", "N", "first port, 0 takes free ones; default 8000"},
    FlagSpec{"replicas", "N", "engines, on consecutive ports; default 1"},
    FlagSpec{"name", "NAME", "sent as x-sim-engine; default sim"},
    FlagSpec{"model", "NAME", "base model; default base-model"},
    FlagSpec{"lora", "NAME,...", "adapters served beside the model"},
    FlagSpec{"lora-modules", "JSON...",
             "adapters as the published simulator takes them: {\"name\": NAME}, one or more"},
    FlagSpec{"max-loras", "N", "taken from published files; adapters are not limited here"},
    FlagSpec{"prefill-tokens-per-second", "N", "speed of prefill; default: takes no time"},
    FlagSpec{"decode-ms", "MS", "time between two tokens; default 0"},
    FlagSpec{"tokens", "N", "length of every answer; default: as long as its text"},
    FlagSpec{"blocks", "N", "KV cache in blocks of 16 tokens; default 8192"},
    FlagSpec{"max-running", "N", "requests decoded at once; default 256"},
    FlagSpec{"kv-events", "", "publish KV events over ZeroMQ, with replay, on free ports"},
    FlagSpec{"tokenizer", "DIR", "tokenizer.json and chat template of a model, for real token ids"},
    FlagSpec{"ports-file", "FILE", "write {\"engines\":[...]} once listening"},
    FlagSpec{"help", "", "this text"},
};

constexpr std::uint64_t kReplicasMax = 64;
constexpr std::size_t kLoraModulesMax = 256;

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  std::size_t replicas = 1;
  std::string ports_file;
  sim::EngineOptions engine;
};

Result<std::size_t> count_of(const Flags& flags, std::string_view name, std::size_t fallback) {
  const auto text = flags.value(name);
  if (!text) return fallback;
  const auto number = parse_uint(*text);
  if (!number)
    return fail(Code::kInvalidArgument, fmt::format("--{} must be a whole number", name));
  return static_cast<std::size_t>(*number);
}

Result<double> number_of(const Flags& flags, std::string_view name) {
  const auto text = flags.value(name);
  if (!text) return 0.0;
  const auto number = parse_double(*text);
  if (!number || *number < 0) {
    return fail(Code::kInvalidArgument, fmt::format("--{} must be a number of at least 0", name));
  }
  return *number;
}

// Values of --lora-modules: the first is the flag's own, further ones stand alone behind it.
Result<void> add_lora_modules(const Flags& flags, std::vector<std::string>& adapters) {
  std::vector<std::string> modules = flags.positional();
  if (const auto first = flags.value("lora-modules")) modules.insert(modules.begin(), *first);
  for (const auto& text : modules) {
    const auto document = json::Document::parse(text);
    if (!document) return std::unexpected(document.error());
    SBX_TRY(const auto name, document->root().find("name"));
    if (!name || !name->is_string()) {
      return fail(Code::kInvalidArgument,
                  fmt::format("--lora-modules takes {{\"name\": NAME}}, not '{}'", text));
    }
    adapters.push_back(name->string());
  }
  return {};
}

Result<Options> read_options(const Flags& flags) {
  Options options;
  options.host = flags.value("host").value_or(options.host);
  SBX_TRY(const auto port, flags.port("port"));
  options.port = port.value_or(options.port);
  SBX_TRY(options.replicas, count_of(flags, "replicas", 1));
  if (options.replicas < 1 || options.replicas > kReplicasMax) {
    return fail(Code::kInvalidArgument, fmt::format("--replicas goes from 1 to {}", kReplicasMax));
  }
  options.ports_file = flags.value("ports-file").value_or("");
  auto& engine = options.engine;
  engine.name = flags.value("name").value_or(engine.name);
  engine.model = flags.value("model").value_or(engine.model);
  const std::string adapters = flags.value("lora").value_or("");
  for (const auto adapter : split(adapters, ',')) engine.adapters.emplace_back(adapter);
  SBX_CHECK_OK(add_lora_modules(flags, engine.adapters));
  SBX_TRY(engine.prefill_tokens_per_second, number_of(flags, "prefill-tokens-per-second"));
  SBX_TRY(const double decode_ms, number_of(flags, "decode-ms"));
  engine.decode = std::chrono::nanoseconds(static_cast<std::int64_t>(decode_ms * 1e6));
  SBX_TRY(engine.answer_tokens, count_of(flags, "tokens", engine.answer_tokens));
  SBX_TRY(engine.blocks, count_of(flags, "blocks", engine.blocks));
  if (flags.has("kv-events"))
    engine.kv_endpoint = engine.kv_replay_endpoint = "tcp://" + options.host + ":*";
  if (const auto directory = flags.value("tokenizer")) {
    SBX_TRY(engine.tokenizer, prompt::PromptTokenizer::load(*directory));
  }
  SBX_TRY(engine.running_max, count_of(flags, "max-running", engine.running_max));
  return options;
}

Result<void> write_ports(const std::string& path,
                         const std::vector<std::unique_ptr<sim::Server>>& servers) {
  if (path.empty()) return {};
  std::string ports;
  std::string events;
  for (const auto& server : servers) {
    const char* comma = ports.empty() ? "" : ",";
    ports += fmt::format("{}{}", comma, server->port());
    events += fmt::format(R"({}{{"endpoint":"{}","replay_endpoint":"{}"}})", comma,
                          server->kv_endpoint(), server->kv_replay_endpoint());
  }
  const std::string aside = path + ".new";
  std::ofstream file(aside);
  file << fmt::format("{{\"engines\":[{}],\"kv_events\":[{}]}}\n", ports, events);
  file.close();
  if (!file || std::rename(aside.c_str(), path.c_str()) != 0) {
    return fail(Code::kIo, fmt::format("cannot write {}", path));
  }
  return {};
}

net::Task<void> stop(net::Loop* loop, std::vector<std::unique_ptr<sim::Server>>* servers) {
  for (auto& server : *servers) {
    server->close();
    co_await server->join();
  }
  loop->post([loop] { loop->stop(); });
}

Result<void> run(const Options& options) {
  const auto loop = net::make_loop();
  std::vector<std::unique_ptr<sim::Server>> servers;
  for (std::size_t i = 0; i < options.replicas; ++i) {
    sim::EngineOptions engine = options.engine;
    if (options.replicas > 1) engine.name = fmt::format("{}-{}", engine.name, i + 1);
    const std::string name = engine.name;
    servers.push_back(std::make_unique<sim::Server>(*loop, std::move(engine), i + 1));
    const auto port = static_cast<std::uint16_t>(options.port == 0 ? 0 : options.port + i);
    SBX_CHECK_OK(servers.back()->listen(options.host, port));
    fmt::print("demo engine {} on http://{}\n", name,
               net::to_string(net::Address(options.host, servers.back()->port(), false)));
  }
  std::fflush(stdout);
  SBX_CHECK_OK(write_ports(options.ports_file, servers));
  net::TaskGroup ending(*loop);
  const auto signals = net::watch_signals(*loop, [&](bool terminate) {
    if (terminate && ending.size() == 0) ending.spawn(stop(loop.get(), &servers));
  });
  loop->run();
  return {};
}

}  // namespace

int sim_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, kLoraModulesMax);
  if (flags && flags->has("help")) {
    fmt::print("{}", usage("sim [FLAGS]",
                           "Runs demo engines; every answer says that it is simulated.", kFlags));
    return 0;
  }
  Result<void> done;
  if (!flags) {
    done = std::unexpected(flags.error());
  } else if (const auto options = read_options(*flags); !options) {
    done = std::unexpected(options.error());
  } else {
    done = run(*options);
  }
  if (done) return 0;
  fmt::print(stderr, "signalbox sim: {}\n", done.error().message);
  return 2;
}

}  // namespace signalbox::cli
