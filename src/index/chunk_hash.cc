#include "index/chunk_hash.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/python_hash.h"
#include "base/sha256.h"

namespace signalbox::index {
namespace {

using Algorithm = ChunkScheme::Algorithm;

constexpr std::string_view kSeedOfVllm = "vllm-none-hash";

// CBOR (RFC 8949) in its canonical form, as much of it as tuples of integers need.
void cbor_head(std::string& out, std::uint8_t major, std::uint64_t value) {
  const auto tag = static_cast<std::uint8_t>(major << 5);
  int bytes = 0;
  if (value < 24) {
    out += static_cast<char>(tag | value);
    return;
  }
  for (int log = 0; log < 4 && bytes == 0; ++log) {
    if (log < 3 && value >> (8 << log) != 0) continue;
    out += static_cast<char>(tag | (24 + log));
    bytes = 1 << log;
  }
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xff);
}
constexpr std::uint8_t kCborInteger = 0;
constexpr std::uint8_t kCborText = 3;
constexpr std::uint8_t kCborArray = 4;
constexpr char kCborNull = '\xf6';

std::uint64_t word_of(const Sha256& digest, Algorithm algorithm) {
  const std::size_t from = algorithm == Algorithm::kCborFirst ? 0 : digest.size() - 8;
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) word = word << 8 | digest[from + i];
  return word;
}

std::uint64_t cbor_root(std::string_view seed, Algorithm algorithm) {
  std::string bytes;
  cbor_head(bytes, kCborText, seed.size());
  bytes += seed;
  return word_of(sha256(bytes), algorithm);
}

// The array of ids, which is the same for every scheme and parent.
std::string cbor_tokens(std::span<const std::uint32_t> tokens) {
  std::string bytes;
  bytes.reserve(9 + tokens.size() * 5);
  cbor_head(bytes, kCborArray, tokens.size());
  for (const std::uint32_t token : tokens) cbor_head(bytes, kCborInteger, token);
  return bytes;
}

std::uint64_t cbor_name(const ChunkScheme& scheme, std::uint64_t parent, std::string_view tokens) {
  std::string bytes;
  bytes.reserve(tokens.size() + 16);
  cbor_head(bytes, kCborArray, 3);
  cbor_head(bytes, kCborInteger, parent);
  bytes += tokens;
  if (scheme.none) {
    bytes += kCborNull;
  } else {
    cbor_head(bytes, kCborArray, 0);
  }
  return word_of(sha256(bytes), scheme.algorithm);
}

std::int64_t builtin_tokens(std::span<const std::uint32_t> tokens) {
  python::TupleHash hash;
  for (const std::uint32_t token : tokens) hash.add(token);
  return hash.finish();
}

std::uint64_t builtin_name(const ChunkScheme& scheme, std::uint64_t parent, std::int64_t tokens) {
  python::TupleHash hash;
  hash.add(python::hash_integer(static_cast<std::int64_t>(parent)));
  hash.add(tokens);
  hash.add(scheme.none ? python::kHashOfNone : python::TupleHash().finish());
  return static_cast<std::uint64_t>(hash.finish());
}

void add_seed(std::string_view seed, std::vector<ChunkScheme>& out) {
  using Rounds = python::SipRounds;
  for (const bool none : {false, true}) {
    const std::string_view version = none ? "LMCache before 0.5" : "LMCache 0.5";
    for (const auto& [rounds, python] : {std::pair{Rounds::kOneThree, "3.11 and newer"},
                                         std::pair{Rounds::kTwoFour, "3.10 and older"}}) {
      // Nothing fixed to hash there.
      if (none && rounds == Rounds::kTwoFour) continue;
      const auto root = python::hash_text(seed, seed, rounds);
      if (!root) continue;
      out.push_back(
          {Algorithm::kBuiltin, none, static_cast<std::uint64_t>(*root),
           fmt::format("builtin hash, PYTHONHASHSEED={}, {}, Python {}", seed, version, python)});
    }
    const auto algorithm = none ? Algorithm::kCborLast : Algorithm::kCborFirst;
    out.push_back({algorithm, none, cbor_root(seed, algorithm),
                   fmt::format("sha256_cbor, {}, {}",
                               seed == kSeedOfVllm ? "no PYTHONHASHSEED"
                                                   : fmt::format("PYTHONHASHSEED={}", seed),
                               version)});
  }
}

}  // namespace

std::vector<ChunkScheme> chunk_schemes(std::string_view seed) {
  std::vector<ChunkScheme> schemes;
  std::vector<std::string_view> seeds;
  for (const std::string_view each :
       {seed, std::string_view("123"), std::string_view("0"), kSeedOfVllm}) {
    if (!each.empty() && std::ranges::find(seeds, each) == seeds.end()) seeds.push_back(each);
  }
  for (const std::string_view each : seeds) add_seed(each, schemes);
  for (const bool none : {false, true}) {
    schemes.push_back(
        {Algorithm::kBuiltin, none, 0,
         fmt::format("builtin hash from 0, {}", none ? "LMCache before 0.5" : "LMCache 0.5")});
  }
  return schemes;
}

std::uint64_t chunk_name(const ChunkScheme& scheme, std::uint64_t parent,
                         std::span<const std::uint32_t> tokens) {
  return scheme.algorithm == Algorithm::kBuiltin
             ? builtin_name(scheme, parent, builtin_tokens(tokens))
             : cbor_name(scheme, parent, cbor_tokens(tokens));
}

void chunk_names(const ChunkScheme& scheme, std::span<const std::uint32_t> tokens,
                 std::uint32_t chunk_tokens, std::vector<std::uint64_t>& names) {
  names.clear();
  if (chunk_tokens == 0) return;
  std::uint64_t name = scheme.root;
  for (std::size_t at = 0; at < tokens.size(); at += chunk_tokens) {
    const std::size_t size = std::min<std::size_t>(chunk_tokens, tokens.size() - at);
    name = chunk_name(scheme, name, tokens.subspan(at, size));
    names.push_back(name);
  }
}

void first_names(std::span<const ChunkScheme> schemes, std::span<const std::uint32_t> chunk,
                 std::vector<std::uint64_t>& names) {
  names.clear();
  const std::int64_t hashed = builtin_tokens(chunk);
  const std::string encoded = cbor_tokens(chunk);
  for (const ChunkScheme& scheme : schemes) {
    names.push_back(scheme.algorithm == Algorithm::kBuiltin
                        ? builtin_name(scheme, scheme.root, hashed)
                        : cbor_name(scheme, scheme.root, encoded));
  }
}

}  // namespace signalbox::index
