#include "fovea/optim/average.h"

#include <fmt/format.h>

#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::optim {
namespace {

constexpr const char* count_name = "averaged";

std::string average_name(const std::string& name) { return "average:" + name; }

}  // namespace

Average Average::exponential(double decay) {
  if (!(decay >= 0 && decay <= 1)) {
    throw Error(ErrorKind::usage,
                fmt::format("average: the decay is {}; a number from 0 to 1 is expected",
                            format_number(decay)));
  }
  return Average(decay);
}

Average Average::equal() { return Average(std::nullopt); }

std::vector<std::pair<std::string, Type>> weights_and_statistics(const State& state) {
  std::vector<std::pair<std::string, Type>> arrays;
  for (const Role role : {Role::parameter, Role::buffer}) {
    for (const std::string& name : state.names(role)) {
      if (is_float(state.type(name).dtype)) arrays.emplace_back(name, state.type(name));
    }
  }
  return arrays;
}

void declare_copies(State& state, const std::string& prefix, bool fill) {
  for (const auto& [name, type] : weights_and_statistics(state)) {
    const std::string copy = prefix + ":" + name;
    if (state.contains(copy)) continue;
    state.declare(copy, type, Role::moment, [&state, name = name](Array& array) {
      const Array& from = state.get(name);
      std::memcpy(array.raw(), from.raw(), from.bytes());
    });
    if (fill) (void)state.get(copy);
  }
}

void Average::declare(State& state, bool fill) const {
  if (decay_) return declare_copies(state, "average", fill);
  state.declare(count_name, {DType::i64, {}}, Role::moment);
  for (const auto& [name, type] : weights_and_statistics(state))
    state.declare(average_name(name), type, Role::moment);
}

const Program& Average::program(const State& state, bool swap) {
  const Arrays arrays = weights_and_statistics(state);
  for (const auto& [name, type] : arrays) {
    if (state.contains(average_name(name))) continue;
    throw Error(ErrorKind::usage,
                fmt::format("average: the average of \"{}\" is not declared", name))
        .with("try", "average.declare(state) once, after nn::declare(state, model, seed)");
  }
  return programs_.get({arrays, swap}, [&] {
    const auto graph = Graph::make(Mode::train, DType::f32, "average");
    Tensor weight;  // of the new value
    if (decay_) {
      weight = graph->constant(Array::full(DType::f64, {}, 1 - *decay_));
    } else if (!swap) {
      const Tensor count = increment(graph->read(count_name, {DType::i64, {}}));
      graph->update(count_name, count);
      const Tensor one = graph->constant(Array::full(DType::f64, {}, 1));
      weight = one / cast(count, DType::f64);
    }
    for (const auto& [name, type] : arrays) {
      const Tensor value = graph->read(name, type), mean = graph->read(average_name(name), type);
      if (swap) graph->update(name, mean);
      graph->update(average_name(name),
                    swap ? value : mean + cast(weight, type.dtype) * (value - mean));
    }
    return Program(*graph, {.passes = {.fuse_elementwise = true, .observe = nullptr}});
  });
}

void Average::update(State& state) { program(state, false).run(memory_, state, {}); }

int64_t Average::count(State& state) { return static_cast<int64_t>(state.get(count_name).at(0)); }

void Average::swap(State& state) { program(state, true).run(memory_, state, {}); }

}  // namespace fovea::optim
