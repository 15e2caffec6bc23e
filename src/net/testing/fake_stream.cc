#include "net/testing/fake_stream.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace signalbox::net_testing {

void Channel::add(Item item, Duration delay) {
  const TimePoint before = items_.empty() ? loop_.now() : std::max(loop_.now(), items_.back().at);
  item.at = before + delay;
  items_.push_back(std::move(item));
  wake();
}

void Channel::push(std::string bytes, Duration delay) {
  if (!bytes.empty()) add({.at = {}, .bytes = std::move(bytes), .error = {}}, delay);
}

void Channel::end(Duration delay) {
  if (items_.empty() || !items_.back().end)
    add({.at = {}, .bytes = {}, .error = {}, .end = true}, delay);
}

void Channel::fail(Code code, Duration delay) {
  add({.at = {}, .bytes = {}, .error = code}, delay);
}

void Channel::set_capacity(std::size_t bytes) {
  capacity_ = bytes;
  post_write();
}

std::size_t Channel::room() const {
  std::size_t held = 0;
  for (const auto& item : items_) held += item.bytes.size();
  return held >= capacity_ ? 0 : capacity_ - held;
}

void Channel::set_read_bytes_max(std::size_t bytes, Random* random) {
  read_bytes_max_ = bytes;
  random_ = random;
}

void Channel::close_reader() {
  reader_closed_ = true;
  post_write();
}

void Channel::wake() {
  if (reader_.completion == nullptr || items_.empty()) return;
  if (readable()) {
    post_read();
  } else {
    loop_.arm(arrival_, Deadline::at(items_.front().at));
  }
}

void Channel::start_read(net::ReadSpace& into, net::IoCompletion& completion) {
  SBX_ASSERT(reader_.completion == nullptr);
  reader_.completion = &completion;
  into_ = &into;
  into.release();
  wake();
}

void Channel::post_read() {
  if (reader_.completion == nullptr || std::exchange(reader_.posted, true)) return;
  loop_.post([self = shared_from_this()] { self->deliver_read(); });
}

void Channel::deliver_read() {
  reader_.posted = false;
  if (reader_.completion == nullptr) return;
  const bool cancelled = std::exchange(reader_.cancelled, false);
  if (!cancelled && !readable()) return wake();
  net::IoCompletion& completion = *std::exchange(reader_.completion, nullptr);
  arrival_.unlink();
  completion.unlink();
  completion.complete(cancelled ? signalbox::fail(Code::kCancelled, "operation cancelled")
                                : read_now());
}

Result<std::size_t> Channel::read_now() {
  Item& item = items_.front();
  if (item.error) return signalbox::fail(*item.error, "connection reset");  // and stays so
  if (item.end) return 0;
  const std::span<char> into = into_->room();
  SBX_ASSERT(!into.empty());
  std::size_t most = std::min({item.bytes.size(), into.size(), read_bytes_max_});
  if (random_ != nullptr) most = 1 + random_->below(most);
  std::memcpy(into.data(), item.bytes.data(), most);
  item.bytes.erase(0, most);
  if (item.bytes.empty()) items_.pop_front();
  post_write();
  return most;
}

void Channel::start_write(std::string rest, std::size_t total, net::IoCompletion& completion) {
  SBX_ASSERT(writer_.completion == nullptr);
  writer_.completion = &completion;
  rest_ = std::move(rest);
  write_total_ = total;
  if (room() > 0 || reader_closed_) post_write();
}

void Channel::post_write() {
  if (writer_.completion == nullptr || std::exchange(writer_.posted, true)) return;
  loop_.post([self = shared_from_this()] { self->deliver_write(); });
}

void Channel::deliver_write() {
  writer_.posted = false;
  if (writer_.completion == nullptr) return;
  const bool cancelled = std::exchange(writer_.cancelled, false);
  if (!cancelled && !reader_closed_) {
    const std::size_t fits = std::min(room(), rest_.size());
    if (fits > 0) {
      record(rest_.substr(0, fits));
      push(rest_.substr(0, fits));
      rest_.erase(0, fits);
    }
    if (!rest_.empty()) return;
  }
  net::IoCompletion& completion = *std::exchange(writer_.completion, nullptr);
  completion.unlink();
  if (cancelled)
    return completion.complete(signalbox::fail(Code::kCancelled, "operation cancelled"));
  if (reader_closed_) return completion.complete(signalbox::fail(Code::kIo, "broken pipe"));
  completion.complete(write_total_);
}

void Channel::cancel_read() {
  if (reader_.completion == nullptr) return;
  reader_.cancelled = true;
  post_read();
}

void Channel::cancel_write() {
  if (writer_.completion == nullptr) return;
  writer_.cancelled = true;
  post_write();
}

std::string Channel::drain() {
  std::string out;
  while (readable() && !items_.front().end && !items_.front().error) {
    out += items_.front().bytes;
    items_.pop_front();
  }
  post_write();
  return out;
}

void FakeStream::start_read(net::ReadSpace& into, Deadline deadline,
                            net::IoCompletion& completion) {
  loop_.arm(completion, deadline);
  in_->start_read(into, completion);
  if (!open_) in_->cancel_read();
}

Result<std::size_t> FakeStream::try_write(net::WriteParts parts) {
  SBX_ASSERT(parts.size() <= net::kWritePartsMax);
  if (!open_ || out_->reader_closed()) return fail(Code::kIo, "broken pipe");
  std::string bytes;
  for (const auto part : parts) bytes += part;
  bytes.resize(std::min(bytes.size(), out_->room()));
  if (bytes.empty()) return 0;
  out_->record(bytes);
  const std::size_t size = bytes.size();
  out_->push(std::move(bytes));
  return size;
}

void FakeStream::start_write(net::WriteParts parts, std::size_t done, Deadline deadline,
                             net::IoCompletion& completion) {
  std::string bytes;
  for (const auto part : parts) bytes += part;
  const std::size_t total = bytes.size();
  loop_.arm(completion, deadline);
  out_->start_write(bytes.substr(done), total, completion);
  if (!open_) out_->cancel_write();
}

void FakeStream::cancel() {
  in_->cancel_read();
  out_->cancel_write();
}

void FakeStream::close() {
  if (!std::exchange(open_, false)) return;
  cancel();
  in_->close_reader();
  out_->end();
}

void FakePeer::send_cut(std::string_view bytes, const std::vector<std::size_t>& cuts) {
  std::size_t begin = 0;
  for (const auto cut : cuts) {
    send(std::string(bytes.substr(begin, cut - begin)));
    begin = cut;
  }
  send(std::string(bytes.substr(begin)));
}

void FakePeer::send_bytewise(std::string_view bytes) {
  for (const char c : bytes) send(std::string(1, c));
}

std::string FakePeer::received() const {
  std::string out;
  for (const auto& write : writes()) out += write;
  return out;
}

std::pair<std::unique_ptr<FakeStream>, FakePeer> make_fake_stream(net::Loop& loop) {
  auto to_stream = std::make_shared<Channel>(loop);
  auto from_stream = std::make_shared<Channel>(loop);
  return {std::make_unique<FakeStream>(loop, to_stream, from_stream),
          FakePeer(to_stream, from_stream)};
}

std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> make_stream_pair(
    net::Loop& loop) {
  auto forth = std::make_shared<Channel>(loop);
  auto back = std::make_shared<Channel>(loop);
  return {std::make_unique<FakeStream>(loop, back, forth),
          std::make_unique<FakeStream>(loop, forth, back)};
}

}  // namespace signalbox::net_testing
