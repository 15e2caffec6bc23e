// The real pipeline between real client connections and real demo engines, on a simulated network in virtual time: seeds
// decide what clients ask, how their bytes are cut, when they leave, which engines refuse, drop, stall or break off, and
// when the configuration is reloaded. Whatever happens, the promises at the end of this file hold; a seed that breaks one
// is a bug that can be run again.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/load.h"
#include "http/chunked.h"
#include "http/response_head.h"
#include "listener/http/connection.h"
#include "net/testing/fake_network.h"
#include "net/testing/manual_loop.h"
#include "pipeline/pipeline.h"
#include "sim/server.h"

namespace signalbox::pipeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kEngines = 3;  // the last one always behaves

std::string config_text(int weight) {
  std::string text = R"(version: v0.3
providers:
  defaults: {default_model: m}
  models:
    - name: m
      backend_refs:
)";
  for (int i = 0; i < kEngines; ++i) {
    text += fmt::format("        - {{name: e{0}, endpoint: \"engine-{0}:80\", weight: {1}}}\n", i,
                        i == 0 ? weight : 1);
  }
  return text + R"(routing:
  signals:
    keywords: [{name: alpha, operator: OR, keywords: [alpha]}]
  decisions:
    - name: alpha_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: keyword, name: alpha}]}
      modelRefs: [{model: m, use_reasoning: true}]
      plugins: [{type: fast_response, configuration: {message: "short"}}]
signalbox:
  retry: {attempts_max: 3, budget_ratio: 1, budget_min_per_second: 1000}
  limits: {first_byte_timeout: 5s, stream_idle_timeout: 5s}
  health: {eject_after_failures: 3, ejection_time: 1s}
)";
}

struct Asked {
  std::string id;
  bool stream = false;
  bool broken = false;  // ordered from the engine: the answer may be cut or malformed
};

struct Answered {
  int status = 0;
  std::string id;
  std::string body;
  bool complete = false;
};

// One client connection: what it asked, and what came back.
struct Client {
  std::vector<Asked> asked;
  bool leaves = false;  // goes away at some moment, perhaps before its answers
  std::optional<net_testing::FakePeer> peer;
  std::unique_ptr<listener::Connection> connection;

  std::vector<Answered> answers() const {
    std::vector<Answered> found;
    std::string bytes = peer->received();
    while (!bytes.empty()) {
      http::HeadScan scan;
      const auto head = http::parse_response_head(bytes, scan, false);
      if (!head || !*head) {
        ADD_FAILURE() << "no response head: " << bytes.substr(0, 200);
        return found;
      }
      const auto& [status, minor, headers, body, keep_alive, head_bytes] = **head;
      Answered answer{.status = status, .id = std::string(headers.get("x-request-id"))};
      bytes.erase(0, head_bytes);
      if (body.kind == http::Framing::kChunked) {
        take_chunks(bytes, answer);
      } else {
        answer.complete = bytes.size() >= body.length;
        answer.body = bytes.substr(0, body.length);
        bytes.erase(0, body.length);
      }
      found.push_back(std::move(answer));
      EXPECT_TRUE(found.back().complete || bytes.empty()) << "something after a cut answer";
    }
    return found;
  }

  static void take_chunks(std::string& bytes, Answered& answer) {
    http::ChunkDecoder decoder(Code::kUpstreamProtocol);
    std::size_t at = 0;
    while (at < bytes.size() && !decoder.done()) {
      const auto step = decoder.next(std::string_view(bytes).substr(at));
      ASSERT_TRUE(step) << step.error().message;
      answer.body += step->payload;
      at += step->consumed;
      if (step->consumed == 0) break;
    }
    answer.complete = decoder.done();
    bytes.erase(0, at);
  }
};

class World {
 public:
  explicit World(std::uint64_t seed)
      : random_(seed), network_(loop_), pipeline_(services_, loop_, network_, seed), tasks_(loop_) {
    reload();
    for (int i = 0; i < kEngines; ++i) {
      sim::EngineOptions options;
      options.name = fmt::format("engine-{}", i);
      options.model = "m";
      options.decode = milliseconds(below(30));
      engines_.push_back(
          std::make_unique<sim::Server>(loop_, options, seed + static_cast<unsigned>(i)));
      network_.serve(options.name + ":80", [this, i](std::unique_ptr<net::Stream> stream) {
        engines_[static_cast<std::size_t>(i)]->attach(std::move(stream));
      });
    }
    network_.set_connect_time(milliseconds(below(5)));
    const std::size_t clients = 2 + below(8);
    for (std::size_t c = 0; c < clients; ++c) tasks_.spawn(live(add_client(c)));
    tasks_.spawn(disturb());
  }

  ~World() {
    for (auto& engine : engines_) engine->close();
    loop_.run();
  }

  void run() {
    loop_.run();
    ASSERT_EQ(tasks_.size(), 0u) << "somebody waits for ever";
    tasks_.spawn(pipeline_.close());
    loop_.run();
  }

  const std::vector<std::unique_ptr<Client>>& clients() const { return clients_; }
  std::string transcript() const {
    std::string all;
    for (const auto& client : clients_) all += client->peer->received() + "\n====\n";
    return all;
  }
  std::int64_t in_flight() {
    std::int64_t sum = 0;
    for (const auto& entry : services_.endpoints.current()->endpoints()) {
      const auto& endpoint = *entry.endpoint;
      sum += endpoint.in_flight() + endpoint.queued_prefill_tokens() +
             (endpoint.trial_running() ? 1 : 0);
    }
    return sum;
  }
  double model_gauge() { return services_.instruments.inflight.with("m").value(); }
  std::size_t open_engine_connections() const {
    std::size_t sum = 0;
    for (const auto& engine : engines_) sum += engine->state().connections;
    return sum;
  }

 private:
  std::size_t below(std::size_t bound) { return random_.below(bound); }
  bool chance(double probability) { return random_.unit() < probability; }

  void reload() {
    const auto loaded =
        config::load_text(config_text(1 + static_cast<int>(below(3))), "simulation");
    ASSERT_TRUE(loaded) << loaded.error().message;
    services_.endpoints.publish(*loaded->config);
    auto snapshot = build_snapshot(loaded->config, ++epoch_, {}, nullptr);
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    services_.snapshots.publish(*snapshot);
  }

  Client* add_client(std::size_t number) {
    auto client = std::make_unique<Client>();
    auto [stream, peer] = net_testing::make_fake_stream(loop_);
    client->peer.emplace(std::move(peer));
    client->leaves = chance(0.3);
    const std::size_t requests = 1 + below(4);
    for (std::size_t r = 0; r < requests; ++r) {
      const double fate = random_.unit();
      client->asked.push_back({.id = fmt::format("client{}-request{}", number, r),
                               .stream = chance(0.5),
                               .broken = fate < 0.15});
    }
    client->connection = std::make_unique<listener::Connection>(std::move(stream), loop_, pipeline_,
                                                                random_, dates_);
    clients_.push_back(std::move(client));
    return clients_.back().get();
  }

  std::string request_bytes(const Asked& asked) {
    const bool fast = chance(0.2);
    const std::string body = fmt::format(
        R"({{"model":"{}","stream":{},"messages":[{{"role":"user","content":"{} {}"}}],"x":1.0}})",
        fast || chance(0.5) ? "MoM" : "m", asked.stream, fast ? "alpha" : "beta",
        std::string(below(3000), 'w'));
    std::string orders = fmt::format("x-sim-tokens: {}\r\n", 1 + below(20));
    if (asked.broken) {
      static constexpr const char* kKinds[] = {"x-sim-cut-after-bytes: {}\r\n",
                                               "x-sim-malformed: frame\r\n",
                                               "x-sim-malformed: chunk\r\n"};
      const std::string kind = kKinds[below(3)];
      orders += fmt::format(fmt::runtime(kind), below(400));
    }
    return fmt::format(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
        "application/json\r\nx-request-id: {}\r\n{}"
        "Content-Length: {}\r\n\r\n{}",
        asked.id, orders, body.size(), body);
  }

  // Sends its requests, pipelined or not, in pieces of any size; then hangs up, or earlier if it is one of those.
  net::Task<void> live(Client* client) {
    tasks_.spawn(serve(client));
    std::string all;
    for (const auto& asked : client->asked) all += request_bytes(asked);
    std::size_t at = 0;
    const std::size_t leave_at = client->leaves ? below(all.size() * 2) : all.size() * 2;
    while (at < all.size()) {
      const std::size_t piece = 1 + below(all.size());
      client->peer->send(all.substr(at, piece));
      at += piece;
      if (at >= leave_at) break;
      co_await loop_.sleep(milliseconds(below(40)));
    }
    co_await loop_.sleep(client->leaves ? milliseconds(below(500)) : Duration(seconds(120)));
    if (chance(0.5)) {
      client->peer->reset();
    } else {
      client->peer->finish();
    }
  }

  net::Task<void> serve(Client* client) { co_await client->connection->serve(settings_); }

  // Orders to the engines that may misbehave, and reloads.
  net::Task<void> disturb() {
    static constexpr const char* kOrders[] = {"fail=0.7&status=503",
                                              "fail=0.5&status=429",
                                              "drop=0.7",
                                              "refuse=1",
                                              "delay_ms=300",
                                              "reset=1"};
    for (int i = 0; i < 30; ++i) {
      co_await loop_.sleep(milliseconds(below(100)));
      if (chance(0.3)) reload();
      order(below(kEngines - 1), kOrders[below(std::size(kOrders))]);
    }
    for (std::size_t i = 0; i + 1 < kEngines; ++i) order(i, "reset=1");
  }

  void order(std::size_t engine, const std::string& query) {
    auto [stream, peer] = net_testing::make_fake_stream(loop_);
    engines_[engine]->attach(std::move(stream));
    peer.send(
        fmt::format("POST /sim/ctl?{} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", query));
    peer.finish(milliseconds(1));
  }

  Random random_;
  net_testing::ManualLoop loop_;
  net_testing::FakeNetwork network_;
  Services services_{"simulation"};
  Pipeline pipeline_;
  std::vector<std::unique_ptr<sim::Server>> engines_;
  http::DateCache dates_;
  listener::SettingsSource settings_ = [this] { return pipeline_.connection_settings(); };
  std::vector<std::unique_ptr<Client>> clients_;
  net::TaskGroup tasks_;
  std::uint64_t epoch_ = 0;
};

bool ends_well_or_says_why(const Answered& answer) {
  return answer.body.contains("data: [DONE]") || answer.body.contains("\"error\"");
}

void expect_promises(const Client& client) {
  const auto answers = client.answers();
  ASSERT_LE(answers.size(), client.asked.size()) << "an answer nobody asked for";
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Asked& asked = client.asked[i];
    EXPECT_EQ(answers[i].id, asked.id) << "answers come in order, each to its own request";
    if (client.leaves || asked.broken) continue;
    EXPECT_EQ(answers[i].status, 200) << "one engine was well all the time: " << answers[i].body;
    EXPECT_TRUE(answers[i].complete);
    EXPECT_EQ(answers[i].body.contains("data: [DONE]"), asked.stream) << answers[i].body;
  }
  if (client.leaves) return;
  // Nothing is lost without a word: every request is answered, unless an answer before it had to be cut.
  const bool cut = !answers.empty() && !answers.back().complete;
  EXPECT_TRUE(cut || answers.size() == client.asked.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!client.asked[i].stream || answers[i].status != 200) continue;
    EXPECT_TRUE(ends_well_or_says_why(answers[i])) << answers[i].body;
  }
}

TEST(Simulation, EveryRequestIsAnsweredOnceAndNothingStaysBehind) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    World world(seed);
    world.run();
    for (const auto& client : world.clients()) expect_promises(*client);
    EXPECT_EQ(world.in_flight(), 0);
    EXPECT_EQ(world.model_gauge(), 0);
    EXPECT_EQ(world.open_engine_connections(), 0u);
    if (::testing::Test::HasFailure()) break;
  }
}

TEST(Simulation, ASeedGivesTheSameRunTwice) {
  for (const std::uint64_t seed : {7u, 8u}) {
    World one(seed);
    one.run();
    World two(seed);
    two.run();
    EXPECT_EQ(one.transcript(), two.transcript());
  }
}

}  // namespace
}  // namespace signalbox::pipeline
