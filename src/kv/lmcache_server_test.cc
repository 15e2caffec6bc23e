#include "kv/lmcache_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "base/limits.h"
#include "kv/socket.h"

namespace signalbox::kv::lmcache {
namespace {

using namespace std::chrono_literals;

// Notes what it is told, and lets a test wait for it.
class Notes final : public Listener, public Watcher {
 public:
  void instance(const std::string& name, const std::string&, bool) override {
    note([&] { instances.insert(name); });
  }
  void gone(const std::string& name) override {
    note([&] { instances.erase(name); });
  }
  void store(const std::string&, std::span<const std::uint64_t> names, Tier) override {
    note([&] { chunks.insert(names.begin(), names.end()); });
  }
  void remove(const std::string&, std::span<const std::uint64_t>, Tier) override {}
  void clear(const std::string&, Tier) override {}
  void clear(const std::string&) override {}
  std::optional<Tier> holds(const std::string&, std::uint64_t) const override {
    return std::nullopt;
  }
  void received(bool understood) override {
    note([&] { ++(understood ? good : bad); });
  }
  void checked(const Registry&) override {}

  template <class Condition>
  bool comes_true(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, condition);
  }

  std::set<std::string> instances;
  std::set<std::uint64_t> chunks;
  int good = 0;
  int bad = 0;

 private:
  template <class Change>
  void note(Change change) {
    {
      const std::scoped_lock lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
};

std::string json_of(const std::string& type, const std::string& rest = "") {
  return R"({"type":")" + type + R"(","instance_id":"a","worker_id":0)" + rest + "}";
}

struct LmcacheServer : testing::Test {
  static ServerOptions options() {
    return {.pull = "tcp://127.0.0.1:*",
            .reply = "tcp://127.0.0.1:*",
            .heartbeat = "tcp://127.0.0.1:*",
            .worker_timeout = 30s,
            .check_interval = 50ms,
            .own_host = [](const std::string&) { return std::string("router"); }};
  }
  Socket connect(int type, const std::string& endpoint) {
    Socket socket(context.get(), type);
    EXPECT_TRUE(socket.connect(endpoint).has_value());
    return socket;
  }
  // Waits for one, as a worker does.
  static Frames answer(Socket& socket) {
    zmq_pollitem_t poll{socket.get(), 0, ZMQ_POLLIN, 0};
    zmq_poll(&poll, 1, 20'000);
    return socket.receive().value_or(Frames{});
  }

  Context context = make_context();
  Notes notes;
  Server server{options(), notes, notes};
};

TEST_F(LmcacheServer, TakesWhatIsPushedFrameByFrame) {
  auto push = connect(ZMQ_PUSH, server.pull());
  std::vector<std::string> frames = {json_of("RegisterMsg", R"(,"ip":"10.0.0.7")"), "nonsense"};
  for (int chunk = 0; chunk < 50; ++chunk)
    frames.push_back(json_of("KVAdmitMsg", R"(,"location":"x","key":)" + std::to_string(chunk)));
  ASSERT_TRUE(push.send({frames.begin(), frames.end()}));
  EXPECT_TRUE(notes.comes_true([&] { return notes.chunks.size() == 50; }));
  EXPECT_EQ(notes.instances.count("a"), 1U);
  EXPECT_EQ(notes.bad, 1);
}

TEST_F(LmcacheServer, AnswersReqAndDealerAlike) {
  auto req = connect(ZMQ_REQ, server.reply());
  ASSERT_TRUE(req.send({json_of("RegisterMsg", R"(,"ip":"10.0.0.7")")}));
  const auto first = answer(req);
  ASSERT_EQ(first.size(), 1U);
  const std::string port = server.heartbeat().substr(server.heartbeat().rfind(':'));
  EXPECT_NE(first[0].find("router" + port), std::string::npos);
  auto dealer = connect(ZMQ_DEALER, server.heartbeat());
  ASSERT_TRUE(dealer.send({"", json_of("HeartbeatMsg")}));
  const auto second = answer(dealer);
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[1], heartbeat_answer(""));
  ASSERT_TRUE(dealer.send({"", "nonsense"}));
  const auto third = answer(dealer);
  ASSERT_EQ(third.size(), 2U) << "what cannot be read is answered too: its sender waits";
  EXPECT_NE(third[1].find("ErrorMsg"), std::string::npos);
}

TEST_F(LmcacheServer, AnAddressThatIsTakenIsTriedAgain) {
  // Of its own, so that ending it waits for the listener to be closed.
  auto others = make_context();
  auto taken = std::make_unique<Socket>(others.get(), ZMQ_PULL);
  const auto endpoint = taken->bind("tcp://127.0.0.1:*");
  ASSERT_TRUE(endpoint.has_value());
  auto settings = options();
  settings.pull = *endpoint;
  settings.reply.clear();
  settings.heartbeat.clear();
  Notes late_notes;
  Server late(settings, late_notes, late_notes);
  EXPECT_EQ(late.pull(), "");
  EXPECT_EQ(late.reply(), "");
  taken.reset();
  others.reset();
  auto push = connect(ZMQ_PUSH, *endpoint);
  push.send({json_of("RegisterMsg")});
  EXPECT_TRUE(late_notes.comes_true([&] { return late_notes.instances.contains("a"); }));
}

TEST_F(LmcacheServer, AFrameThatIsTooLongEndsItsConnectionOnly) {
  auto hostile = connect(ZMQ_PUSH, server.pull());
  hostile.send({std::string(limits::kLmcacheMessageBytesMax + 1, 'x')});
  auto good = connect(ZMQ_PUSH, server.pull());
  good.send({json_of("RegisterMsg")});
  EXPECT_TRUE(notes.comes_true([&] { return notes.instances.contains("a"); }));
  EXPECT_EQ(notes.bad, 0);
}

}  // namespace
}  // namespace signalbox::kv::lmcache
