#include "balancer/testing/virtual_rig.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "balancer/session.h"

namespace signalbox::balancer::testing {
namespace {

constexpr int kTokenBytes = 4;

double normal(Random& random) {
  const double u = 1.0 - random.unit();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * random.unit());
}

// A length with the given mean, at most eight times it.
int vary(Random& random, int mean, double sigma) {
  const double length = mean * std::exp(sigma * normal(random) - sigma * sigma / 2);
  return std::max(1, std::min(static_cast<int>(length), 8 * mean));
}

std::string letters(Random random, int bytes) {
  std::string text(static_cast<std::size_t>(bytes), ' ');
  for (std::size_t i = 0; i < text.size(); i += 8) {
    std::uint64_t bits = random.next();
    for (std::size_t j = i; j < std::min(i + 8, text.size()); ++j, bits >>= 8)
      text[j] = static_cast<char>('a' + bits % 26);
  }
  return text;
}

struct Turn {
  std::string role;
  std::string text;
};

struct Asked {
  std::string session;
  std::vector<Turn> turns;
  int output_tokens = 1;
  TimePoint due{};
};

class Rig {
 public:
  explicit Rig(const RigOptions& options) : options_(options) {
    config_.own.balancer.policy = options.policy;
    config_.own.balancer.cache_tokens =
        std::int64_t{options.engine.blocks} * options.engine.block_tokens;
    config::Model model;
    model.name = "m";
    for (int i = 0; i < options.engines; ++i) {
      config::BackendRef backend;
      backend.host = "e" + std::to_string(i);
      backend.port = 8000;
      model.backends.push_back(backend);
      EngineModel engine = options.engine;
      if (i == 0) engine.prefill_rate *= options.slow_engine_factor;
      engines_.push_back(std::make_unique<VirtualEngine>(timeline, engine));
    }
    config_.providers.models.push_back(std::move(model));
    for (int i = 0; i < options.routers; ++i) {
      routers_.push_back(std::make_unique<Router>(options.seed + static_cast<std::uint64_t>(i)));
      routers_.back()->set = routers_.back()->table.publish(config_);
    }
    candidate_.model = &config_.providers.models.front();
    candidate_.upstream_name = "m";
    if (options.scrape_seconds > 0 && options.routers > 1) scrape();
  }

  // `done` is called when the answer is complete.
  void ask(Asked asked, std::function<void()> done) {
    Router& router = *routers_[next_router_++ % routers_.size()];
    exchange::Exchange exchange;
    for (const Turn& turn : asked.turns)
      exchange.request.messages.push_back({turn.role, turn.text});
    const Prompt prompt(exchange);
    Context context;
    context.set = router.set.get();
    context.now = timeline.now();
    if (options_.session_key) {
      context.session = hash64(asked.session);
      context.session_text = asked.session;
    }
    context.prefill_tokens = prompt.tokens();
    context.prompt = &prompt;
    auto pick = std::make_shared<Pick>(*router.balancer.pick({&candidate_, 1}, context, {}));
    const auto number =
        static_cast<std::size_t>(pick->replica - router.set->find("m")->replicas.data());
    Generation generation;
    for (const Turn& turn : asked.turns) generation.text += turn.role + "\n" + turn.text + "\n";
    generation.output_tokens = asked.output_tokens;
    const TimePoint due = asked.due;
    auto ttft = std::make_shared<double>(0);
    generation.first_token = [this, pick, ttft, due] {
      pick->in_flight.first_token(timeline.now());
      *ttft = milliseconds(timeline.now() - due);
    };
    generation.done = [this, pick, ttft, done = std::move(done)] {
      pick->in_flight.end();
      if (recording_) ttfts_.push_back(*ttft);
      if (done) done();
    };
    engines_[number]->submit(std::move(generation));
  }

  Outcome measure() {
    const TimePoint start = timeline.now();
    timeline.run_until(start + duration(options_.warm_seconds));
    std::vector<VirtualEngine::Counters> before;
    for (const auto& engine : engines_) before.push_back(engine->counters());
    recording_ = true;
    timeline.run_until(start + duration(options_.warm_seconds + options_.seconds));
    recording_ = false;
    VirtualEngine::Counters sum;
    std::int64_t busiest = 0;
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      const auto& after = engines_[i]->counters();
      sum.queried += after.queried - before[i].queried;
      sum.hits += after.hits - before[i].hits;
      sum.requests += after.requests - before[i].requests;
      busiest = std::max(busiest, after.requests - before[i].requests);
    }
    Outcome outcome;
    outcome.hit_rate =
        static_cast<double>(sum.hits) / static_cast<double>(std::max<std::int64_t>(1, sum.queried));
    outcome.busiest = static_cast<double>(busiest) * static_cast<double>(engines_.size()) /
                      static_cast<double>(std::max<std::int64_t>(1, sum.requests));
    outcome.rate = static_cast<double>(ttfts_.size()) / options_.seconds;
    std::ranges::sort(ttfts_);
    if (ttfts_.empty()) return outcome;
    outcome.ttft_mean_ms =
        std::accumulate(ttfts_.begin(), ttfts_.end(), 0.0) / static_cast<double>(ttfts_.size());
    outcome.ttft_p50_ms = ttfts_[ttfts_.size() / 2];
    outcome.ttft_p99_ms = ttfts_[ttfts_.size() * 99 / 100];
    return outcome;
  }

  static Duration duration(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }

  Timeline timeline;

 private:
  struct Router {
    explicit Router(std::uint64_t seed) : balancer(seed) {}
    discovery::EndpointTable table;
    std::shared_ptr<const discovery::EndpointSet> set;
    Balancer balancer;
  };

  void scrape() {
    for (const auto& router : routers_) {
      const auto& replicas = router->set->find("m")->replicas;
      for (std::size_t i = 0; i < engines_.size(); ++i) {
        discovery::EngineFigures figures;
        figures.running = engines_[i]->running();
        figures.waiting = engines_[i]->waiting();
        replicas[i].endpoint->load().scraped(figures, replicas[i].endpoint->in_flight());
      }
    }
    timeline.after(options_.scrape_seconds, [this] { scrape(); });
  }

  RigOptions options_;
  config::Config config_;
  std::vector<std::unique_ptr<VirtualEngine>> engines_;
  std::vector<std::unique_ptr<Router>> routers_;
  exchange::Candidate candidate_;
  std::size_t next_router_ = 0;
  bool recording_ = false;
  std::vector<double> ttfts_;
};

// Users who hold conversations; each is replaced by a new one after the last round.
class Users {
 public:
  Users(Rig& rig, const RigOptions& options, const Chat& chat)
      : rig_(rig), chat_(chat), seed_(options.seed), next_user_(chat.users) {
    for (int i = 0; i < chat.systems; ++i)
      systems_.push_back(letters(Random(seed_ * 1000 + static_cast<std::uint64_t>(i)),
                                 kTokenBytes * chat.system_tokens));
    for (int slot = 0; slot < chat.users; ++slot) {
      slots_.push_back({Random(seed_ + 77 * static_cast<std::uint64_t>(slot)),
                        slot,
                        1 + slot % chat.rounds,
                        {},
                        {}});
      slots_.back().due = rig.timeline.now() + Rig::duration(period() * slot / chat.users);
    }
    for (auto& slot : slots_) plan(slot);
  }

 private:
  struct Slot {
    Random random;
    int user;
    int left;
    std::vector<Turn> turns;
    TimePoint due;
  };
  double period() const { return chat_.users / chat_.per_second; }

  std::size_t choose_system(Random& random, int user) const {
    if (chat_.skew <= 0) return static_cast<std::size_t>(user % chat_.systems);
    double total = 0;
    for (int i = 1; i <= chat_.systems; ++i) total += std::pow(i, -chat_.skew);
    double draw = random.unit() * total;
    for (int i = 1; i < chat_.systems; ++i) {
      draw -= std::pow(i, -chat_.skew);
      if (draw < 0) return static_cast<std::size_t>(i - 1);
    }
    return static_cast<std::size_t>(chat_.systems - 1);
  }

  void plan(Slot& slot) {
    rig_.timeline.at(slot.due, [this, &slot] { ask(slot); });
  }

  void ask(Slot& slot) {
    if (slot.turns.empty()) {
      Random own(mix64(seed_ + (std::uint64_t{1} << 32) + static_cast<std::uint64_t>(slot.user)));
      slot.turns.push_back({"system", systems_[choose_system(own, slot.user)]});
      const int length = vary(own, chat_.history_tokens, chat_.spread);
      slot.turns.push_back({"user", letters(own, kTokenBytes * length)});
    }
    const int output = vary(slot.random, chat_.answer_tokens, chat_.spread);
    Asked asked{"user-" + std::to_string(slot.user), slot.turns, output, slot.due};
    rig_.ask(std::move(asked), [this, &slot, output] { answered(slot, output); });
  }

  void answered(Slot& slot, int output) {
    slot.turns.push_back(
        {"assistant", std::string(static_cast<std::size_t>(kTokenBytes * output), 'a')});
    slot.turns.push_back(
        {"user", letters(Random(slot.random.next()), kTokenBytes * chat_.question_tokens)});
    if (--slot.left == 0) {
      slot.user = next_user_++;
      slot.left = chat_.rounds;
      slot.turns.clear();
    }
    slot.due += Rig::duration(period() * (0.5 + slot.random.unit()));
    slot.due = std::max(slot.due, rig_.timeline.now());
    plan(slot);
  }

  Rig& rig_;
  Chat chat_;
  std::uint64_t seed_;
  int next_user_;
  std::vector<std::string> systems_;
  std::deque<Slot> slots_;
};

}  // namespace

Outcome run_chat(const RigOptions& options, const Chat& chat) {
  Rig rig(options);
  const Users users(rig, options, chat);
  return rig.measure();
}

Outcome run_trace(const RigOptions& options, const Trace& trace) {
  Rig rig(options);
  const TimePoint start = rig.timeline.now();
  for (const auto& entry : trace.entries) {
    const TimePoint due = start + Rig::duration(entry.at_seconds);
    rig.timeline.at(due, [&rig, &trace, &entry, due] {
      Turn turn{"user", {}};
      for (const int block : entry.blocks)
        turn.text += letters(Random(static_cast<std::uint64_t>(block) + 1), trace.block_bytes);
      rig.ask({"", {std::move(turn)}, entry.output_tokens, due}, {});
    });
  }
  return rig.measure();
}

Trace synthetic_trace(std::uint64_t seed, double seconds) {
  Random random(seed);
  Trace trace;
  int next_block = 0;
  struct Past {
    double again_at;
    std::vector<int> blocks;
  };
  std::vector<Past> open;
  for (double now = 0; now < seconds;) {
    const double rate = 32 * (1 + 0.4 * std::sin(now / 7));
    now += -std::log(1 - random.unit()) / rate;
    std::vector<int> blocks;
    const auto due =
        std::ranges::find_if(open, [&](const Past& past) { return past.again_at <= now; });
    if (due != open.end() && random.unit() < 0.45) {
      blocks = std::move(due->blocks);
      open.erase(due);
    } else {
      blocks.push_back(0);  // a head that all share
      next_block = std::max(next_block, 1);
    }
    for (int more = vary(random, 18, 1.2); more > 0; --more) blocks.push_back(next_block++);
    if (blocks.size() > 128) blocks.resize(128);
    trace.entries.push_back({now, vary(random, 30, 0.8), blocks});
    if (random.unit() < 0.6) open.push_back({now + 2 + 10 * random.unit(), blocks});
  }
  return trace;
}

}  // namespace signalbox::balancer::testing
