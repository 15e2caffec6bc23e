// DNS look-ups whose records matter, not just one address to dial: discovery of engines. On a thread of its own, because the
// system's resolver blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/loop.h"

namespace signalbox::net {

struct DnsQuestion {
  std::string name;
  bool srv = false;    // SRV records, each target resolved; else A and AAAA
  std::string server;  // IPv4 literal with port, "10.0.0.10:53"; empty: the system's
};

struct DnsRecord {
  std::string address;     // IP literal
  std::uint16_t port = 0;  // of SRV records
  int weight = 1;          // of SRV records; at least 1
  friend auto operator<=>(const DnsRecord&, const DnsRecord&) = default;
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  using Done = std::function<void(Result<std::vector<DnsRecord>>)>;
  // Calls `done` on the loop's thread, once; never after the resolver's end. Records are sorted and unique, at most
  // limits::kDiscoveredEnginesMax; of SRV only those of the best priority. A name without records is an empty list.
  // Errors: kUnavailable (no answer, server failure), kOverloaded (more than a handful of questions under way),
  // kInvalidArgument (server address).
  virtual void look_up(DnsQuestion question, Done done) = 0;
};

// Loop outlives the resolver. Ending waits for the question under way: seconds, where a server is silent.
std::unique_ptr<Resolver> make_resolver(Loop& loop);

}  // namespace signalbox::net
