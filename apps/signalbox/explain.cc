#include "pipeline/explain.h"

#include <fmt/core.h>

#include <array>
#include <cstdio>
#include <optional>

#include "apps/signalbox/commands.h"
#include "apps/signalbox/flags.h"
#include "base/log.h"
#include "net/loop.h"
#include "pipeline/loader.h"

namespace signalbox::cli {
namespace {

constexpr std::array kFlags = {
    FlagSpec{"config", "FILE", "configuration; default: the embedded demo"},
    FlagSpec{"model", "NAME", "requested model name; default: MoM"},
    FlagSpec{"all", "", "evaluate every signal, also those that cannot matter"},
    FlagSpec{"json", "", "print one JSON object"},
    FlagSpec{"encoder-dir", "DIR", "sentence encoder in hub format"},
    FlagSpec{"models-dir", "DIR", "trained heads"},
    FlagSpec{"help", "", "this text"},
};

// A tool that runs once waits for its encoder longer than a request may.
constexpr std::chrono::seconds kEncoderDeadline{10};

net::Task<void> run(net::Loop* loop, const pipeline::Snapshot* snapshot,
                    exchange::ClientRequest client, pipeline::ExplainOptions options,
                    Result<pipeline::Explanation>* out) {
  *out =
      co_await pipeline::explain(std::move(client), exchange::Identity(), snapshot, loop, options);
  loop->post([loop] { loop->stop(); });
}

Result<pipeline::Explanation> explain_text(const Flags& flags) {
  pipeline::Services services(SIGNALBOX_VERSION);
  pipeline::Loader loader(services,
                          pipeline::config_file_source(flags.value("config").value_or("")),
                          encoder::locate(flags.value("encoder-dir").value_or(""),
                                          flags.value("models-dir").value_or("")));
  SBX_CHECK_OK(loader.load());
  exchange::ClientRequest client;
  client.method = "POST";
  client.path = "/v1/chat/completions";
  client.body =
      pipeline::body_for_text(flags.value("model").value_or("MoM"), flags.positional().front());
  const auto loop = net::make_loop();
  net::TaskGroup group(*loop);
  const auto snapshot = services.snapshots.current();
  Result<pipeline::Explanation> explanation = fail(Code::kInternal, "not run");
  const pipeline::ExplainOptions options{.exhaustive = flags.has("all"),
                                         .encoder_deadline = kEncoderDeadline};
  group.spawn(run(loop.get(), snapshot.get(), std::move(client), options, &explanation));
  loop->run();
  loader.close();
  return explanation;
}

}  // namespace

int explain_command(Arguments arguments) {
  const auto flags = Flags::parse(arguments, kFlags, 1);
  if (!flags || flags->has("help") || flags->positional().empty()) {
    if (!flags) fmt::print(stderr, "signalbox explain: {}\n", flags.error().message);
    const bool asked = flags && flags->has("help");
    fmt::print(asked ? stdout : stderr, "{}",
               usage("explain [FLAGS] \"TEXT\"",
                     "Tells how a user's text would be routed, and why.", kFlags));
    return asked ? 0 : 2;
  }
  log::configure(log::Level::kError, log::Format::kText);
  const auto explanation = explain_text(*flags);
  if (!explanation) {
    fmt::print(stderr, "signalbox explain: {}\n", explanation.error().message);
    return 2;
  }
  fmt::print("{}", flags->has("json") ? pipeline::to_json(*explanation) + "\n"
                                      : pipeline::to_text(*explanation));
  return 0;
}

}  // namespace signalbox::cli
