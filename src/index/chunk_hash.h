// How LMCache names its chunks. A chunk is a fixed number of token ids (256 unless told otherwise), its name 64 bits:
//
//   name(i) = H((name(i - 1), ids of chunk i, nothing)),  name(-1) = H(text of PYTHONHASHSEED)
//
// LMCache tells its controller names only, so who wants to find a prompt must make the same ones. What H is and what
// "nothing" is depends on LMCache's version and setting (pre_caching_hash_algorithm), on vLLM's, on Python's and on the
// environment of the engine; a scheme is one such combination. Those below can be repeated outside the engine:
//
// - "builtin" (the default): Python's hash() of a tuple, with PYTHONHASHSEED set. "nothing" is () since LMCache 0.5 and
//   None before, whose hash is fixed since Python 3.12 only. The first name is 0 where vLLM does not import or is old.
// - "sha256_cbor" (0.5), "sha256_cbor_64bit" (0.3): SHA-256 of the CBOR, the first or the last 8 bytes. Without
//   PYTHONHASHSEED the text is a constant of vLLM (in 0.32; older ones draw it by chance).
//
// What cannot be repeated: builtin without PYTHONHASHSEED, builtin of LMCache 0.3 under Python 3.11 and older; what is
// not: hashes of pickled tuples ("sha256") and xxHash. Sources: LMCache 0.3.7, 0.3.11 and 0.5.6 (v1/token_database.py),
// vLLM 0.32 (v1/core/kv_cache_utils.py, utils/hashing.py), CPython 3.8 to 3.12 (Objects/tupleobject.c, Python/pyhash.c).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace signalbox::index {

struct ChunkScheme {
  enum class Algorithm : std::uint8_t { kBuiltin, kCborFirst, kCborLast };
  Algorithm algorithm = Algorithm::kBuiltin;
  bool none = false;       // "nothing" is None, else ()
  std::uint64_t root = 0;  // name(-1)
  std::string says;        // what it stands for, for the log
  bool operator==(const ChunkScheme&) const = default;
};

// Every scheme that can be repeated, for engines with that PYTHONHASHSEED (empty: not set) and, because they cost nothing,
// with the ones of LMCache's documents (0) and of the published charts (123). The likely ones first; at most 32.
std::vector<ChunkScheme> chunk_schemes(std::string_view seed);

// O(tokens): about 2 multiplications a token with kBuiltin, SHA-256 over 1 to 5 bytes a token else.
std::uint64_t chunk_name(const ChunkScheme& scheme, std::uint64_t parent,
                         std::span<const std::uint32_t> tokens);

// Names of all chunks of a prompt, the last one of what is left (engines that save unfull chunks have that too). Clears
// `names` first. Chunks of 0 tokens: none.
void chunk_names(const ChunkScheme& scheme, std::span<const std::uint32_t> tokens,
                 std::uint32_t chunk_tokens, std::vector<std::uint64_t>& names);

// The first chunk's name by each scheme, in their order. Clears `names` first.
void first_names(std::span<const ChunkScheme> schemes, std::span<const std::uint32_t> chunk,
                 std::vector<std::uint64_t>& names);

}  // namespace signalbox::index
