#include "discovery/health_request.h"

#include <array>
#include <cstdint>

#include "json/splice.h"

namespace signalbox::discovery {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kBoundary = "signalbox-health";
// A white pixel.
constexpr std::string_view kPixel =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mP8/"
    "x8AAwMCAO+ip1sAAAAASUVORK5CYII=";

void append_number(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

// A tenth of a second of silence: PCM, mono, 16 bits at 16 kHz.
std::string silent_wave() {
  constexpr std::uint32_t kRate = 16000, kSamples = 1600, kSampleBytes = 2;
  std::string wave = "RIFF";
  append_number(wave, 36 + kSamples * kSampleBytes, 4);
  wave += "WAVEfmt ";
  append_number(wave, 16, 4);
  append_number(wave, 1, 2);
  append_number(wave, 1, 2);
  append_number(wave, kRate, 4);
  append_number(wave, kRate * kSampleBytes, 4);
  append_number(wave, kSampleBytes, 2);
  append_number(wave, 8 * kSampleBytes, 2);
  wave += "data";
  append_number(wave, kSamples * kSampleBytes, 4);
  wave.append(kSamples * kSampleBytes, '\0');
  return wave;
}

HealthRequest transcription(std::string_view model) {
  HealthRequest request;
  request.path = "/v1/audio/transcriptions";
  request.content_type = "multipart/form-data; boundary=" + std::string(kBoundary);
  const std::string opening = "--" + std::string(kBoundary) + "\r\n";
  request.body = opening + "Content-Disposition: form-data; name=\"model\"\r\n\r\n" +
                 std::string(model) + "\r\n" + opening +
                 "Content-Disposition: form-data; name=\"file\"; filename=\"silence.wav\"\r\n"
                 "Content-Type: audio/wav\r\n\r\n" +
                 silent_wave() + "\r\n--" + std::string(kBoundary) + "--\r\n";
  return request;
}

HealthRequest vision(const std::string& model) {
  return {
      "/v1/chat/completions", std::string(kJson),
      R"({"model":)" + model +
          R"(,"max_tokens":3,"messages":[{"role":"user","content":[{"type":"text","text":"Hello"},)"
          R"({"type":"image_url","image_url":{"url":")" +
          std::string(kPixel) + R"("}}]}]})"};
}

struct Kind {
  std::string_view kind;
  std::string_view path;
  std::string_view fields;  // behind "model"
};
constexpr std::string_view kHello =
    R"("max_tokens":3,"messages":[{"role":"user","content":"Hello"}])";
constexpr std::array kKinds = {
    Kind{"chat", "/v1/chat/completions", kHello},
    Kind{"messages", "/v1/messages", kHello},
    Kind{"completion", "/v1/completions", R"("prompt":"Hello","max_tokens":3)"},
    Kind{"embeddings", "/v1/embeddings", R"("input":"Hello")"},
    Kind{"rerank", "/v1/rerank", R"("query":"Hello","documents":["Test"])"},
    Kind{"score", "/v1/score", R"("encoding_format":"float","text_1":"Hello","text_2":"Test")"},
};

}  // namespace

HealthRequest health_request(std::string_view kind, std::string_view model) {
  if (kind == "transcription") return transcription(model);
  const std::string name = json::quote(model);
  if (kind == "vision") return vision(name);
  const Kind* found = &kKinds.front();
  for (const Kind& known : kKinds) {
    if (known.kind == kind) found = &known;
  }
  return {std::string(found->path), std::string(kJson),
          R"({"model":)" + name + "," + std::string(found->fields) + "}"};
}

}  // namespace signalbox::discovery
