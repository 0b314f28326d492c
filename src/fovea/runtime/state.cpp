#include "fovea/runtime/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/text.h"

namespace fovea {
namespace {

std::string describe(const Type& type, Role role) {
  constexpr std::string_view names[] = {"parameter", "buffer", "gradient", "moment"};
  return to_string(type) + ", a " + std::string(names[static_cast<size_t>(role)]);
}

}  // namespace

uint64_t State::next_version() {
  static std::atomic<uint64_t> version{0};
  return ++version;
}

void State::declare(const std::string& name, const Type& type, Role role, Fill fill) {
  if (auto known = slots_.find(name); known != slots_.end()) {
    if (known->second.type != type || known->second.role != role) {
      throw Error(
          ErrorKind::usage,
          fmt::format("state: \"{}\" is declared twice, with different types or roles", name))
          .with("first", describe(known->second.type, known->second.role))
          .with("then", describe(type, role));
    }
    return;
  }
  Slot slot;
  slot.type = type;
  slot.role = role;
  slot.order = declared_++;
  slot.fill = std::move(fill);
  slot.version = next_version();
  slots_.emplace(name, std::move(slot));
}

const State::Slot& State::slot(std::string_view name) const {
  auto found = slots_.find(name);
  if (found == slots_.end()) {
    std::vector<std::string> known;
    for (const auto& [key, value] : slots_) known.push_back(key);
    std::ranges::sort(known);
    Error error(ErrorKind::usage, fmt::format("state: there is no array named \"{}\"", name));
    const std::vector<std::string> near = nearest_names(name, known);
    if (!near.empty()) error.with("nearest", join(near, ", "));
    throw error.with("try",
                     "nn::declare(state, model, seed) declares a model's arrays, "
                     "optimizer->declare(state) its moments; TrainStep::gradient() its gradients");
  }
  return found->second;
}

Array& State::get(std::string_view name) {
  auto& found = const_cast<Slot&>(slot(name));
  if (!found.filled) {
    found.array = pool_.make(found.type);
    std::memset(found.array.raw(), 0, found.array.bytes());
    if (found.fill) found.fill(found.array);
    found.fill = nullptr;
    found.filled = true;
  }
  return found.array;
}

const Type& State::type(std::string_view name) const { return slot(name).type; }
Role State::role(std::string_view name) const { return slot(name).role; }

void State::set(std::string_view name, const Array& value) {
  auto& found = const_cast<Slot&>(slot(name));
  const Type& expected = found.type;
  if (expected != Type{value.dtype(), value.shape()}) {
    throw Error(ErrorKind::usage,
                fmt::format("state: \"{}\" cannot be set to an array of another type", name))
        .with("given", describe(value))
        .with("expected", to_string(expected));
  }
  if (!found.filled) {  // its initial values would be overwritten
    found.array = pool_.make(expected);
    found.fill = nullptr;
    found.filled = true;
  }
  if (value.bytes() > 0) std::memcpy(found.array.raw(), value.raw(), value.bytes());
  touch(name);
}

uint64_t State::version(std::string_view name) const {
  return std::max(slot(name).version, touched_);
}

void State::touch(std::string_view name) {
  const_cast<Slot&>(slot(name)).version = version_ = next_version();
}

std::shared_ptr<State::Derived> State::derived(const std::string& key, size_t bytes) {
  if (const auto known = derived_.find(key); known != derived_.end()) {
    if (auto data = known->second.lock()) return data;
  }
  std::erase_if(derived_, [](const auto& entry) { return entry.second.expired(); });
  auto data = std::make_shared<Derived>();
  data->data = allocate(bytes);
  derived_[key] = data;
  return data;
}

void State::remove(std::string_view name) {
  (void)slot(name);
  slots_.erase(slots_.find(name));
  version_ = next_version();
}

std::vector<std::string> State::names(Role role) const {
  std::vector<std::pair<uint64_t, std::string>> ordered;
  for (const auto& [name, slot] : slots_) {
    if (slot.role == role) ordered.emplace_back(slot.order, name);
  }
  std::sort(ordered.begin(), ordered.end());
  std::vector<std::string> result;
  for (auto& [order, name] : ordered) result.push_back(std::move(name));
  return result;
}

int64_t State::count(Role role) const {
  int64_t total = 0;
  for (const auto& [name, slot] : slots_) {
    if (slot.role == role) total += slot.type.numel();
  }
  return total;
}

}  // namespace fovea
