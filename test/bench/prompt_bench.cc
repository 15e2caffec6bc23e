// What it costs a core to render and tokenise a prompt: prompt_bench DIRECTORY FILE, with the tokenizer of a model and a
// text. CPU time of this thread, the median of several calls: a chat of 1, 8, 32 and 64 KiB anew, and one more turn of it.
#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "json/document.h"
#include "json/splice.h"
#include "prompt/prompt_tokenizer.h"

namespace signalbox::bench {
namespace {

using prompt::PromptTokenizer;
using prompt::Tokenized;

double cpu_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

std::string body_of(std::string_view text, bool further) {
  std::string out = R"({"messages":[{"role":"user","content":)" + json::quote(text) + "}";
  if (further) {
    out += R"(,{"role":"assistant","content":"Points 7, then 9."})"
           R"(,{"role":"user","content":"And which signal stands before them?"})";
  }
  return out + "]}";
}

struct Cost {
  double render = 0, tokenize = 0;  // microseconds
  std::size_t ids = 0, bytes = 0;
};

double median_of(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

Cost measure(const PromptTokenizer& tokenizer, const std::string& body, const Tokenized* before) {
  constexpr int kCalls = 21;
  const auto document = json::Document::parse(body);
  std::vector<double> renders, tokenizes;
  Cost cost;
  for (int i = 0; i < kCalls; ++i) {
    const double begun = cpu_microseconds();
    auto rendered = tokenizer.render(document->root(), prompt::BodyKind::kGeneration, {});
    const double between = cpu_microseconds();
    if (!rendered) {
      fmt::print(stderr, "{}\n", rendered.error().message);
      return cost;
    }
    const auto made = tokenizer.tokenize(*std::move(rendered), before);
    renders.push_back(between - begun);
    tokenizes.push_back(cpu_microseconds() - between);
    cost.ids = made.ids.size();
    cost.bytes = made.rendered.text.size();
  }
  cost.render = median_of(renders);
  cost.tokenize = median_of(tokenizes);
  return cost;
}

int run(const std::string& directory, const std::string& file) {
  const auto tokenizer = PromptTokenizer::load(directory);
  if (!tokenizer) {
    fmt::print(stderr, "{}\n", tokenizer.error().message);
    return 1;
  }
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (text.empty()) return 1;
  constexpr std::size_t kMost = 64 << 10;
  while (text.size() < kMost) text += text;
  for (const std::size_t kib : {1, 8, 32, 64}) {
    const std::string_view part = std::string_view(text).substr(0, kib << 10);
    const std::string body = body_of(part, false);
    const Cost anew = measure(**tokenizer, body, nullptr);
    const auto document = json::Document::parse(body);
    const auto before =
        (*tokenizer)
            ->tokenize(*(*tokenizer)->render(document->root(), prompt::BodyKind::kGeneration, {}),
                       nullptr);
    const Cost turn = measure(**tokenizer, body_of(part, true), &before);
    fmt::print(
        "{:3} KiB, {:6} tokens: render {:7.1f} us, tokenise {:8.1f} us, {:5.2f} us/KiB; next turn: "
        "render {:7.1f} us, tokenise {:6.1f} us\n",
        kib, anew.ids, anew.render, anew.tokenize,
        (anew.render + anew.tokenize) / (static_cast<double>(anew.bytes) / 1024), turn.render,
        turn.tokenize);
  }
  return 0;
}

}  // namespace
}  // namespace signalbox::bench

int main(int argc, char** argv) {
  if (argc == 3) return signalbox::bench::run(argv[1], argv[2]);
  fmt::print(stderr, "usage: {} DIRECTORY FILE\n", argv[0]);
  return 2;
}
