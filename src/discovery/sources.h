// Sources of engines beside the fixed list: files and DNS names. Each reports its whole list when it changes; a list that
// cannot be read or a server that does not answer changes nothing, because engines do not stop when their list does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/edge.h"
#include "config/watch.h"
#include "discovery/discovery.h"
#include "net/loop.h"
#include "net/resolver.h"

namespace signalbox::discovery {

// A file that lists engines (config/engine_list.h), looked at four times a second.
std::unique_ptr<Discovery> file_engines(net::Loop& loop, std::string path);

// A DNS name. `resolver` outlives the source.
std::unique_ptr<Discovery> dns_engines(net::Loop& loop, net::Resolver& resolver,
                                       config::DnsEngines settings);

// The sources of a configuration. `resolver` may be nullptr where no DNS name is among them.
std::vector<std::unique_ptr<Discovery>> make_sources(net::Loop& loop, net::Resolver* resolver,
                                                     const config::Discovery& settings);

}  // namespace signalbox::discovery
