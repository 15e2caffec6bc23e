// bench_load: sends one HTTP request over and over and says how long answers took and what the server spent.
//
// Closed loop (default): each connection sends its next request when the last answer is complete. Open loop (--rate):
// requests are due at fixed times whether or not earlier ones are answered, and latency counts from when one was due, so a
// stalled server cannot hide behind requests that were never sent. One thread, epoll, plain sockets, loopback only.
// "@@@@@@@@" in a header or the body becomes the number of the request. Prints one JSON object.
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "histogram.h"
#include "process_stats.h"
#include "response_reader.h"

namespace signalbox::bench {
namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Options {
  int port = 0;
  std::string path = "/v1/chat/completions";
  std::string body_file;
  std::vector<std::string> headers;
  int connections = 16;
  double seconds = 3;
  double warmup_seconds = 0.5;
  double rate = 0;  // requests a second; 0: closed loop
  std::vector<int> pids;
};

struct Connection {
  int fd = -1;
  ResponseReader reader;
  std::int64_t due_ns = 0;
  std::int64_t first_byte_ns = 0;
  std::string request;  // a copy with this request's number, where requests are numbered
  std::size_t written = 0;
  bool busy = false;
};

// What a numbered request holds in place of its number, decimal with leading zeros.
constexpr std::string_view kNumberMark = "@@@@@@@@";

struct Totals {
  Histogram latency;
  Histogram first_byte;
  std::uint64_t errors = 0;
  std::uint64_t bytes = 0;
  std::uint64_t events = 0;
};

class Load {
 public:
  Load(const Options& options, std::string request)
      : options_(options), request_(std::move(request)) {
    for (auto at = request_.find(kNumberMark); at != std::string::npos;
         at = request_.find(kNumberMark, at + kNumberMark.size())) {
      number_at_.push_back(at);
    }
  }

  int run();

 private:
  bool open(Connection& connection);
  void send(Connection& connection, std::int64_t due_ns);
  void number(Connection& connection);
  void write_rest(Connection& connection);
  void read(Connection& connection);
  void finish(Connection& connection, bool good);
  void reopen(Connection& connection);
  void dispatch_due(std::int64_t now);
  void begin_measuring(std::int64_t now);
  void report(std::int64_t now) const;

  const Options& options_;
  std::string request_;
  std::vector<std::size_t> number_at_;  // of kNumberMark in request_
  std::uint64_t number_ = 0;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Connection*> idle_;
  std::deque<std::int64_t> overdue_;
  std::int64_t next_due_ns_ = 0;
  std::int64_t measured_from_ns_ = 0;
  bool measuring_ = false;
  std::uint64_t cpu_before_ = 0;
  Memory memory_;
  Totals totals_;
};

bool Load::open(Connection& connection) {
  connection.fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  const int one = 1;
  ::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::fcntl(connection.fd, F_SETFL, O_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) == 0;
}

void Load::send(Connection& connection, std::int64_t due_ns) {
  connection.due_ns = due_ns;
  connection.first_byte_ns = 0;
  connection.written = 0;
  connection.busy = true;
  connection.reader.reset();
  number(connection);
  write_rest(connection);
}

void Load::number(Connection& connection) {
  if (number_at_.empty()) return;
  connection.request = request_;
  const std::string digits = fmt::format("{:08}", number_++ % 100'000'000);
  for (const auto at : number_at_) connection.request.replace(at, kNumberMark.size(), digits);
}

void Load::write_rest(Connection& connection) {
  const std::string& request = number_at_.empty() ? request_ : connection.request;
  while (connection.written < request.size()) {
    const auto sent = ::send(connection.fd, request.data() + connection.written,
                             request.size() - connection.written, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno != EAGAIN) return finish(connection, false);
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT;
      event.data.ptr = &connection;
      ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
      return;
    }
    connection.written += static_cast<std::size_t>(sent);
  }
}

void Load::read(Connection& connection) {
  char buffer[64 << 10];
  const auto got = ::recv(connection.fd, buffer, sizeof buffer, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return connection.busy ? finish(connection, false) : reopen(connection);
  if (connection.first_byte_ns == 0) connection.first_byte_ns = now_ns();
  const std::uint64_t events = connection.reader.events();
  const bool done = connection.reader.feed({buffer, static_cast<std::size_t>(got)});
  if (measuring_) {
    totals_.events += connection.reader.events() - events;
    totals_.bytes += static_cast<std::uint64_t>(got);
  }
  if (done) finish(connection, connection.reader.status() == 200);
}

void Load::finish(Connection& connection, bool good) {
  const std::int64_t now = now_ns();
  if (measuring_) {
    if (good) {
      totals_.latency.add(now - connection.due_ns);
      totals_.first_byte.add(connection.first_byte_ns - connection.due_ns);
    } else {
      ++totals_.errors;
    }
  }
  connection.busy = false;
  if (!good || connection.reader.closes()) reopen(connection);
  if (options_.rate > 0) {
    idle_.push_back(&connection);
  } else {
    send(connection, now);
  }
}

void Load::reopen(Connection& connection) {
  ::close(connection.fd);
  if (!open(connection)) {
    fmt::print(stderr, "bench_load: the server no longer accepts connections\n");
    std::exit(1);
  }
}

void Load::dispatch_due(std::int64_t now) {
  if (options_.rate <= 0) return;
  const auto step = static_cast<std::int64_t>(1e9 / options_.rate);
  for (; next_due_ns_ <= now; next_due_ns_ += step) overdue_.push_back(next_due_ns_);
  while (!overdue_.empty() && !idle_.empty()) {
    Connection* connection = idle_.front();
    idle_.pop_front();
    const std::int64_t due = overdue_.front();
    overdue_.pop_front();
    send(*connection, due);
  }
}

void Load::begin_measuring(std::int64_t now) {
  measuring_ = true;
  measured_from_ns_ = now;
  cpu_before_ = cpu_nanoseconds(options_.pids);
}

int Load::run() {
  epoll_ = ::epoll_create1(0);
  for (int i = 0; i < options_.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>());
    if (!open(*connections_.back())) {
      fmt::print(stderr, "bench_load: no connection to port {}: {}\n", options_.port,
                 std::strerror(errno));
      return 1;
    }
  }
  const std::int64_t started = now_ns();
  next_due_ns_ = started;
  for (auto& connection : connections_) {
    if (options_.rate > 0) {
      idle_.push_back(connection.get());
    } else {
      send(*connection, now_ns());
    }
  }
  const auto warm = started + static_cast<std::int64_t>(options_.warmup_seconds * 1e9);
  const auto end = warm + static_cast<std::int64_t>(options_.seconds * 1e9);
  const auto middle = (warm + end) / 2;
  for (std::int64_t now = started; now < end; now = now_ns()) {
    if (!measuring_ && now >= warm) begin_measuring(now);
    // Once, half way: reading smaps takes the server's memory lock and would be seen in latencies.
    if (memory_.resident_kib == 0 && now >= middle) memory_ = memory_of(options_.pids);
    dispatch_due(now);
    epoll_event events[256];
    const int timeout_ms = options_.rate > 0 ? 0 : 20;
    const int count = ::epoll_wait(epoll_, events, 256, timeout_ms);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if ((events[i].events & EPOLLOUT) != 0) {
        write_rest(connection);
      }
      if ((events[i].events & ~static_cast<unsigned>(EPOLLOUT)) != 0) read(connection);
    }
  }
  report(now_ns());
  return 0;
}

void Load::report(std::int64_t now) const {
  const double seconds = static_cast<double>(now - measured_from_ns_) / 1e9;
  const double cpu_us = static_cast<double>(cpu_nanoseconds(options_.pids) - cpu_before_) / 1000;
  const auto done = static_cast<double>(totals_.latency.total());
  const std::uint64_t events = totals_.events;
  fmt::print(
      "{{\"requests\":{},\"errors\":{},\"seconds\":{:.3f},\"requests_per_s\":{:.1f},\"p50_us\":{:."
      "1f},"
      "\"p90_us\":{:.1f},\"p99_us\":{:.1f},\"p999_us\":{:.1f},\"max_us\":{:.1f},\"first_byte_p50_"
      "us\":"
      "{:.1f},\"first_byte_p99_us\":{:.1f},\"bytes\":{},\"events\":{},\"events_per_s\":{:.1f},"
      "\"cpu_us\":{:.0f},\"cpu_us_per_request\":{:.3f},\"cpu_us_per_event\":{:.4f},\"rss_kib\":{},"
      "\"pss_kib\":{},\"overdue\":{}}}\n",
      totals_.latency.total(), totals_.errors, seconds, done / seconds,
      totals_.latency.quantile_us(0.5), totals_.latency.quantile_us(0.9),
      totals_.latency.quantile_us(0.99), totals_.latency.quantile_us(0.999),
      totals_.latency.max_us(), totals_.first_byte.quantile_us(0.5),
      totals_.first_byte.quantile_us(0.99), totals_.bytes, events,
      static_cast<double>(events) / seconds, cpu_us, done > 0 ? cpu_us / done : 0,
      events > 0 ? cpu_us / static_cast<double>(events) : 0, memory_.resident_kib,
      memory_.proportional_kib, overdue_.size());
}

std::string request_of(const Options& options) {
  std::string body;
  if (!options.body_file.empty()) {
    std::ifstream file(options.body_file, std::ios::binary);
    body.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n",
                                 body.empty() ? "GET" : "POST", options.path, options.port);
  for (const auto& header : options.headers) head += header + "\r\n";
  if (!body.empty())
    head += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return head + "\r\n" + body;
}

int usage() {
  fmt::print(stderr,
             "usage: bench_load --port N [--path P] [--body FILE] [--header 'K: V']... "
             "[--connections N]\n                  [--seconds S] [--warmup S] [--rate R] [--pid "
             "P]...\n");
  return 2;
}

int main_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 >= argc) return usage();
    const char* value = argv[i + 1];
    if (name == "--port")
      options.port = std::atoi(value);
    else if (name == "--path")
      options.path = value;
    else if (name == "--body")
      options.body_file = value;
    else if (name == "--header")
      options.headers.emplace_back(value);
    else if (name == "--connections")
      options.connections = std::atoi(value);
    else if (name == "--seconds")
      options.seconds = std::atof(value);
    else if (name == "--warmup")
      options.warmup_seconds = std::atof(value);
    else if (name == "--rate")
      options.rate = std::atof(value);
    else if (name == "--pid")
      options.pids.push_back(std::atoi(value));
    else
      return usage();
  }
  if (options.port == 0) return usage();
  return Load(options, request_of(options)).run();
}

}  // namespace
}  // namespace signalbox::bench

int main(int argc, char** argv) { return signalbox::bench::main_of(argc, argv); }
