#include "exchange/exchange.h"

#include <utility>

namespace signalbox::exchange {
namespace {

// Clearing or assigning would keep the memory.
template <class T>
void give_back(T& value) {
  T empty;
  std::swap(value, empty);
}

}  // namespace

void Exchange::forget_body() {
  client.body_bytes_forgotten += client.body.size();
  request.user_text = {};
  give_back(request.messages);
  give_back(request.texts);
  give_back(request.document);
  give_back(edits.body);
  give_back(client.body);
  tokens.ids.reset();
}

}  // namespace signalbox::exchange
