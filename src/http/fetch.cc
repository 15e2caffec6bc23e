#include "http/fetch.h"

#include <array>
#include <utility>

#include "http/message_writer.h"
#include "http/url.h"

namespace signalbox::http {
namespace {

std::string host_of(const net::Address& address) {
  const bool standard = address.port == (address.tls ? 443 : 80);
  std::string host = net::to_string(address);
  if (standard) host.erase(host.rfind(':'));
  return host;
}

net::Task<Result<FetchResponse>> fetch_on(ClientPool* pool, Lease* lease, std::string_view head,
                                          const FetchRequest* request, Deadline deadline) {
  const std::array<std::string_view, 1> body = {request->body};
  const Lease::Wait wait{.deadline = deadline, .to_head = request->method == "HEAD"};
  SBX_CO_TRY(auto answer, co_await lease->exchange(head, body, wait));
  const BodyReader::Limits limits{
      .bytes_max = request->response_bytes_max, .idle = limits::kTotalTimeout, .total = deadline};
  FetchResponse response{.status = answer.status, .headers = std::move(answer.headers), .body = {}};
  SBX_CO_TRY(response.body, co_await lease->body().read_all(&pool->loop().event_clock(), limits));
  co_return response;
}

}  // namespace

net::Task<Result<FetchResponse>> fetch(ClientPool* pool, FetchRequest request, Deadline deadline,
                                       net::Cancellation* cancel) {
  SBX_CO_TRY(const auto url, parse_url(request.url));
  std::string head;
  const BodyFraming framing =
      request.body.empty() ? BodyFraming{} : BodyFraming{Framing::kLength, request.body.size()};
  append_request_head(
      head, {.method = request.method, .target = url.target, .host = host_of(url.address)},
      request.headers, framing);
  SBX_CO_TRY(Lease lease, co_await pool->acquire(url.address, deadline, cancel));
  auto response = co_await fetch_on(pool, &lease, head, &request, deadline);
  if (!response && lease.closed_while_idle()) {
    SBX_CO_TRY(lease, co_await pool->dial(url.address, deadline, cancel));
    response = co_await fetch_on(pool, &lease, head, &request, deadline);
  }
  co_return response;
}

}  // namespace signalbox::http
