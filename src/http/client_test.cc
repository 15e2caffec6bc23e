#include "http/client.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "http/fetch.h"
#include "http/url.h"
#include "net/testing/fake_network.h"
#include "net/testing/manual_loop.h"

namespace signalbox::http {
namespace {

using net_testing::FakeNetwork;
using net_testing::FakePeer;
using net_testing::ManualLoop;
using std::chrono::seconds;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Fixture {
  Fixture() { network.script("engine:80", nullptr); }
  Lease acquire(net::Cancellation* cancel = nullptr) {
    auto lease = loop.run_task(pool.acquire(address, Deadline::none(), cancel));
    EXPECT_TRUE(lease.has_value());
    return lease ? std::move(*lease) : Lease();
  }
  Result<ResponseHead> exchange(Lease& lease, net::WriteParts body = {}) {
    return loop.run_task(
        lease.exchange(kRequest, body, {.deadline = Deadline::after(loop.now(), seconds(5))}));
  }
  std::string read_all(Lease& lease) {
    auto body = loop.run_task(lease.body().read_all(
        &loop.clock(), {.bytes_max = 1000, .idle = seconds(5), .total = Deadline::none()}));
    EXPECT_TRUE(body.has_value());
    return body.value_or("");
  }
  // One complete exchange that leaves its connection in the pool.
  void warm() {
    Lease lease = acquire();
    network.peer(network.peer_count() - 1).send(std::string(kOk));
    ASSERT_TRUE(exchange(lease).has_value());
    read_all(lease);
  }
  FakePeer& peer(std::size_t index) { return network.peer(index); }

  ManualLoop loop;
  FakeNetwork network{loop};
  net::Address address{"engine", 80, false};
  ClientPool pool{loop, network, {.idle_per_endpoint_max = 2, .idle_timeout = seconds(60)}};
};

TEST(Client, SendsHeadAndBodyPartsInOneWriteAndReadsTheResponse) {
  Fixture f;
  Lease lease = f.acquire();
  f.peer(0).send_bytewise(kOk);
  const std::vector<std::string_view> parts = {"{\"model\":", "\"m\"", "}"};
  const auto head = f.exchange(lease, parts);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(f.read_all(lease), "ok");
  ASSERT_EQ(f.peer(0).writes().size(), 1U);
  EXPECT_EQ(f.peer(0).received(), std::string(kRequest) + "{\"model\":\"m\"}");
}

TEST(Client, SendsMoreBodyPartsThanOneWriteTakes) {
  Fixture f;
  Lease lease = f.acquire();
  f.peer(0).send(std::string(kOk));
  const std::vector<std::string_view> parts(2 * net::kWritePartsMax, "x");
  ASSERT_TRUE(f.exchange(lease, parts).has_value());
  EXPECT_EQ(f.peer(0).received(), std::string(kRequest) + std::string(parts.size(), 'x'));
}

TEST(ClientPool, ReusesAConnectionAfterACompleteResponse) {
  Fixture f;
  f.warm();
  EXPECT_EQ(f.pool.idle_count(), 1U);
  Lease lease = f.acquire();
  EXPECT_TRUE(lease.reused());
  EXPECT_EQ(f.network.dials(), 1U);
  f.peer(0).send(std::string(kOk));
  EXPECT_TRUE(f.exchange(lease).has_value());
}

TEST(ClientPool, KeepsEndpointsApart) {
  Fixture f;
  f.network.script("engine:81", nullptr);
  f.warm();
  f.address.port = 81;
  EXPECT_FALSE(f.acquire().reused());
  f.address = {"engine", 80, true};
  EXPECT_FALSE(f.pool.take_idle(f.address, nullptr));
}

TEST(ClientPool, ClosesConnectionsWhoseResponseWasNotReadToTheEnd) {
  Fixture f;
  {
    Lease lease = f.acquire();
    f.peer(0).send(std::string(kOk));
    ASSERT_TRUE(f.exchange(lease).has_value());
  }
  EXPECT_EQ(f.pool.idle_count(), 0U);
  EXPECT_TRUE(f.peer(0).closed());
}

TEST(ClientPool, ClosesConnectionsThatMustNotBeKept) {
  for (const std::string response :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more than was announced"}) {
    Fixture f;
    {
      Lease lease = f.acquire();
      f.peer(0).send(response);
      ASSERT_TRUE(f.exchange(lease).has_value());
      EXPECT_EQ(f.read_all(lease), "ok");
    }
    EXPECT_EQ(f.pool.idle_count(), 0U) << response;
    EXPECT_TRUE(f.peer(0).closed());
  }
}

TEST(ClientPool, DialsAnewWhenTheIdleConnectionWasClosedByTheUpstream) {
  Fixture f;
  f.warm();
  f.peer(0).finish();
  const Lease lease = f.acquire();
  EXPECT_FALSE(lease.reused());
  EXPECT_EQ(f.network.dials(), 2U);
}

TEST(ClientPool, SaysWhenAReusedConnectionTurnedOutToBeClosed) {
  for (const bool on_write : {true, false}) {
    Fixture f;
    f.warm();
    Lease lease = f.acquire();
    if (on_write) {
      f.peer(0).refuse_writes();
    } else {
      f.peer(0).finish();
    }
    const auto head = f.exchange(lease);
    ASSERT_FALSE(head.has_value());
    EXPECT_EQ(head.error().code, Code::kUpstreamReset);
    EXPECT_TRUE(lease.closed_while_idle());
  }
}

TEST(ClientPool, DoesNotSaySoOfNewConnectionsOrAfterAByteOfTheResponse) {
  Fixture f;
  {
    Lease fresh = f.acquire();
    f.peer(0).finish();
    EXPECT_EQ(f.exchange(fresh).error().code, Code::kUpstreamReset);
    EXPECT_FALSE(fresh.closed_while_idle());
  }
  f.warm();
  Lease lease = f.acquire();
  ASSERT_TRUE(lease.reused());
  f.peer(1).send("HTTP/1.1");
  f.peer(1).finish();
  EXPECT_EQ(f.exchange(lease).error().code, Code::kUpstreamReset);
  EXPECT_FALSE(lease.closed_while_idle());
}

TEST(ClientPool, KeepsNoMoreIdleConnectionsThanItsLimit) {
  Fixture f;
  std::vector<Lease> leases;
  for (std::size_t i = 0; i < 3; ++i) {
    leases.push_back(f.acquire());
    f.peer(i).send(std::string(kOk));
    ASSERT_TRUE(f.exchange(leases.back()).has_value());
    f.read_all(leases.back());
  }
  EXPECT_EQ(f.pool.leased_count(), 3U);
  leases.clear();
  EXPECT_EQ(f.pool.leased_count(), 0U);
  EXPECT_EQ(f.pool.idle_count(), 2U);
}

TEST(ClientPool, ClosesConnectionsThatWereIdleForTooLong) {
  Fixture f;
  f.warm();
  f.loop.advance(seconds(59));
  EXPECT_EQ(f.pool.idle_count(), 1U);
  f.loop.advance(seconds(2));
  EXPECT_EQ(f.pool.idle_count(), 0U);
  EXPECT_TRUE(f.peer(0).closed());
}

TEST(ClientPool, ClosesTheIdleConnectionsOfAnEndpointThatIsGone) {
  Fixture f;
  f.warm();
  f.pool.close_idle({"other", 80, false});
  EXPECT_EQ(f.pool.idle_count(), 1U);
  f.pool.close_idle(f.address);
  EXPECT_EQ(f.pool.idle_count(), 0U);
  EXPECT_TRUE(f.peer(0).closed());
}

net::Task<void> exchange_into(Lease* lease, std::optional<Code>* code) {
  const auto head = co_await lease->exchange(kRequest, {}, {});
  if (!head) *code = head.error().code;
}

TEST(Client, CancellationClosesTheUpstreamAtOnceAndNothingGoesBackToThePool) {
  Fixture f;
  net::Cancellation cancel;
  std::optional<Code> code;
  {
    Lease lease = f.acquire(&cancel);
    net::TaskGroup group(f.loop);
    group.spawn(exchange_into(&lease, &code));
    f.loop.run_ready();
    EXPECT_FALSE(code.has_value());
    cancel.cancel();
    EXPECT_TRUE(f.peer(0).closed());
    f.loop.run_ready();
    EXPECT_EQ(code, Code::kCancelled);
    EXPECT_TRUE(lease.cancelled());
  }
  EXPECT_EQ(f.pool.idle_count(), 0U);
}

TEST(Client, GivesUpOnAnUpstreamThatDoesNotAnswer) {
  Fixture f;
  Lease lease = f.acquire();
  EXPECT_EQ(f.exchange(lease).error().code, Code::kUpstreamTimeout);
}

Result<FetchResponse> fetch_url(Fixture& f, std::string url, std::size_t bytes_max = 100) {
  return f.loop.run_task(fetch(&f.pool, {.url = std::move(url), .response_bytes_max = bytes_max},
                               Deadline::after(f.loop.now(), seconds(5)), nullptr));
}

TEST(Fetch, ReadsAWholeResponse) {
  Fixture f;
  f.network.script("engine:80", [](FakePeer& peer) {
    peer.send("HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n");
  });
  const auto response = fetch_url(f, "http://engine/health?x");
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->body, "no");
  EXPECT_EQ(f.peer(0).received(), "GET /health?x HTTP/1.1\r\nHost: engine\r\n\r\n");
  EXPECT_EQ(f.pool.idle_count(), 1U);
}

TEST(Fetch, TriesOnceMoreWhenThePooledConnectionWasClosed) {
  Fixture f;
  f.warm();
  f.network.script("engine:80", [](FakePeer& peer) { peer.send(std::string(kOk)); });
  f.peer(0).refuse_writes();
  const auto response = fetch_url(f, "http://engine:80/");
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->body, "ok");
}

TEST(Fetch, EndsAtItsLimits) {
  Fixture f;
  EXPECT_EQ(fetch_url(f, "http://engine/").error().code, Code::kUpstreamTimeout);
  f.network.script("engine:80", [](FakePeer& peer) { peer.send(std::string(kOk)); });
  EXPECT_EQ(fetch_url(f, "http://engine/", 1).error().code, Code::kUpstreamProtocol);
  EXPECT_EQ(fetch_url(f, "http://nobody/").error().code, Code::kUpstreamConnect);
  EXPECT_EQ(fetch_url(f, "ftp://engine/").error().code, Code::kInvalidArgument);
  EXPECT_EQ(f.pool.leased_count(), 0U);
}

TEST(Url, ReadsHostPortAndTarget) {
  const auto plain = parse_url("http://engine/v1?a=b#c");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->address.host, "engine");
  EXPECT_EQ(plain->address.port, 80);
  EXPECT_EQ(plain->target, "/v1?a=b");
  const auto secure = parse_url("HTTPS://[::1]:8443");
  ASSERT_TRUE(secure.has_value());
  EXPECT_EQ(secure->address.host, "::1");
  EXPECT_EQ(secure->address.port, 8443);
  EXPECT_TRUE(secure->address.tls);
  EXPECT_EQ(secure->target, "/");
  EXPECT_EQ(parse_url("http://a?q")->target, "/?q");
}

TEST(Url, RefusesWhatIsNoPlainHttpUrl) {
  for (const auto* text : {"", "engine:80", "ftp://a", "http://", "http://:80", "http://a:0",
                           "http://a:65536", "http://a:x", "http://u:p@a/", "http://[::1",
                           "http://[g]/", "http://a b/", "http://a/ b", "http://a/\r\nX: y"}) {
    EXPECT_FALSE(parse_url(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace signalbox::http
