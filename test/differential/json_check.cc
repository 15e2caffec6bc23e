// Reads texts from standard input, each after its length as four bytes, little end first, and prints one verdict a line
// (json/test_dump.h). The other half of json_differential.py.
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "json/test_dump.h"

namespace {

bool read_exactly(void* to, std::size_t size) {
  return size == 0 || std::fread(to, 1, size, stdin) == size;
}

}  // namespace

int main() {
  std::array<unsigned char, 4> prefix{};
  while (read_exactly(prefix.data(), prefix.size())) {
    std::size_t size = 0;
    for (std::size_t i = 4; i-- > 0;) size = size << 8 | prefix[i];
    // Exactly as large as the text, so that the sanitizer sees a read past its end.
    std::vector<char> text(size);
    if (!read_exactly(text.data(), size)) return 1;
    std::puts(signalbox::json::verdict({text.data(), text.size()}).c_str());
  }
  return 0;
}
