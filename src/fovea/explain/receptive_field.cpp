#include "fovea/explain/receptive_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "fovea/core/random.h"
#include "fovea/explain/layers.h"
#include "fovea/nn/trace.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/receptive_field.h"
#include "fovea/runtime/nonfinite.h"
#include "fovea/runtime/program.h"

namespace fovea::explain {
namespace {

constexpr double wanted_energy = 0.95;

void check_input(const Shape& input) {
  if (input.rank() >= 2 && input.rank() <= 4) return;
  throw Error(ErrorKind::usage, "receptive field: the model's inputs have no positions")
      .with("input", fmt::format("{}", fmt::join(input.begin(), input.end(), "x")))
      .with("expected", "C and 1 to 3 spatial axes, such as C, H, W");
}

/// The result of a module as the target's layer: named, or the last with positions in the input.
Tap chosen_layer(Graph& graph, const std::string& name, const std::vector<ReceptiveField>& fields) {
  if (!name.empty()) {
    const std::vector<Tap> taps = tap_layers(graph, name);
    if (taps.size() == 1) return taps[0];
    throw Error(ErrorKind::usage,
                fmt::format("receptive field: \"{}\" names {} layers", name, taps.size()))
        .with("try", fmt::format("one of them, such as {}", taps[0].name));
  }
  std::vector<int> order = graph.calls_by_end();
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    const Call& call = graph.call(*i);
    if (call.path.empty() || call.outputs.size() != 1) continue;
    const Tensor value(graph.shared_from_this(), call.outputs[0]);
    if (value.rank() > 2 && !fields[static_cast<size_t>(value.id())].empty())
      return {call.path, value};
  }
  throw no_convolution("receptive field", graph.title());
}

/// What position `p` along one axis could see, inside an input of `size`.
std::pair<int64_t, int64_t> seen_range(const ReceptiveField& field, size_t axis, int64_t p,
                                       int64_t size) {
  if (field.empty()) return {0, size - 1};
  const FieldAxis& f = field[axis];
  const int64_t first = p * f.jump + f.start;
  return {std::clamp<int64_t>(first, 0, size - 1),
          std::clamp<int64_t>(first + f.size - 1, 0, size - 1)};
}

FieldBox all_of(const Shape& sides) {
  FieldBox box;
  for (const int64_t side : sides) {
    box.first.push_back(0);
    box.last.push_back(side - 1);
  }
  return box;
}

/// The target as a scalar of the graph, with `result`'s layer, position and box filled in.
Tensor target_of(Graph& graph, const Tensor& input, const FieldTarget& target, FieldMap& result) {
  const std::vector<ReceptiveField> fields = receptive_fields(graph, input);
  const Shape sides = input.shape().slice(2);
  if (target.output) {
    const Tensor output = flatten(graph.output("output"));
    if (*target.output < 0 || *target.output >= output.shape()[1]) {
      throw Error(ErrorKind::usage,
                  fmt::format("receptive field: there is no output {}", *target.output))
          .with("outputs", std::to_string(output.shape()[1]));
    }
    result.layer = "output";
    result.box = all_of(sides);
    return sum(slice(output, 1, *target.output, *target.output + 1));
  }
  const Tap layer = chosen_layer(graph, target.layer, fields);
  result.layer = layer.name;
  if (layer.value.rank() != input.rank()) {
    throw Error(ErrorKind::usage, fmt::format("receptive field: {} has no positions", layer.name))
        .with("output", to_string(layer.value.type()))
        .with("try", "--class for an output of the net, or another layer");
  }
  const Shape own = layer.value.shape().slice(2);
  result.size = {own.begin(), own.end()};
  for (const int64_t side : own) result.position.push_back(side / 2);
  if (target.position) result.position = *target.position;
  bool inside = result.position.size() == result.size.size();
  for (size_t i = 0; inside && i < result.size.size(); ++i)
    inside = result.position[i] >= 0 && result.position[i] < result.size[i];
  if (!inside) {
    throw Error(ErrorKind::usage, fmt::format("receptive field: position {} lies outside {}",
                                              fmt::join(result.position, ","), layer.name))
        .with("output", fmt::format("{}", fmt::join(result.size, "x")));
  }
  const ReceptiveField& field = fields[static_cast<size_t>(layer.value.id())];
  result.box = all_of(sides);
  Tensor value = layer.value;
  for (size_t i = 0; i < result.size.size(); ++i) {
    const int axis = static_cast<int>(i);
    const int64_t p = result.position[i];
    std::tie(result.box.first[i], result.box.last[i]) = seen_range(field, i, p, sides[axis]);
    value = slice(value, axis + 2, p, p + 1);
  }
  return sum(value);
}

/// Boxes of up to three axes as boxes of three, of which those in front have one position.
struct Box3 {
  int64_t front, top, left, back, bottom, right;

  int64_t count() const { return (back - front + 1) * (bottom - top + 1) * (right - left + 1); }
};

Box3 widened(const FieldBox& box) {
  const size_t none = 3 - box.axes();
  const auto at = [&](const std::vector<int64_t>& ends, size_t axis) {
    return axis < none ? 0 : ends[axis - none];
  };
  return {at(box.first, 0), at(box.first, 1), at(box.first, 2),
          at(box.last, 0),  at(box.last, 1),  at(box.last, 2)};
}

FieldBox narrowed(const Box3& box, size_t axes) {
  const std::array first{box.front, box.top, box.left}, last{box.back, box.bottom, box.right};
  const auto none = static_cast<std::ptrdiff_t>(3 - axes);
  return {{first.begin() + none, first.end()}, {last.begin() + none, last.end()}};
}

/// Sums over prefixes of all axes, to get the sum of any box at once.
class BoxSums {
 public:
  BoxSums(const std::vector<double>& values, const std::array<int64_t, 3>& sides)
      : rows_(sides[1] + 1),
        width_(sides[2] + 1),
        sums_(static_cast<size_t>((sides[0] + 1) * rows_ * width_)) {
    size_t i = 0;
    for (int64_t z = 1; z <= sides[0]; ++z) {
      for (int64_t y = 1; y <= sides[1]; ++y) {
        double row = 0;
        for (int64_t x = 1; x <= sides[2]; ++x) {
          row += values[i++];
          at(z, y, x) = row + at(z, y - 1, x) + at(z - 1, y, x) - at(z - 1, y - 1, x);
        }
      }
    }
  }
  double operator()(const Box3& b) {
    const auto plane = [&](int64_t z) {
      return at(z, b.bottom + 1, b.right + 1) - at(z, b.top, b.right + 1) -
             at(z, b.bottom + 1, b.left) + at(z, b.top, b.left);
    };
    return plane(b.back + 1) - plane(b.front);
  }

 private:
  double& at(int64_t z, int64_t y, int64_t x) {
    return sums_[static_cast<size_t>((z * rows_ + y) * width_ + x)];
  }
  int64_t rows_, width_;
  std::vector<double> sums_;
};

/// The smallest box inside `limits` that holds this much. Along large sides only some places are
/// tried as ends, but all along the last axis.
Box3 smallest_box(BoxSums& sums, const Box3& limits, double wanted) {
  const auto stride = [&](int64_t size, int64_t most) { return (size + most - 1) / most; };
  const bool deep = limits.back > limits.front;
  const int64_t slices = stride(limits.back - limits.front + 1, 32),
                rows = stride(limits.bottom - limits.top + 1, deep ? 32 : 256);
  Box3 best = limits;
  for (int64_t front = limits.front; front <= limits.back; front += slices) {
    for (int64_t back = limits.back; back >= front; back -= slices) {
      if (sums({front, limits.top, limits.left, back, limits.bottom, limits.right}) < wanted) break;
      for (int64_t top = limits.top; top <= limits.bottom; top += rows) {
        for (int64_t bottom = limits.bottom; bottom >= top; bottom -= rows) {
          if (sums({front, top, limits.left, back, bottom, limits.right}) < wanted) break;
          int64_t left = limits.left;
          for (int64_t right = limits.left; right <= limits.right; ++right) {
            while (left < right && sums({front, top, left + 1, back, bottom, right}) >= wanted)
              ++left;
            const Box3 box{front, top, left, back, bottom, right};
            if (box.count() < best.count() && sums(box) >= wanted) best = box;
          }
        }
      }
    }
  }
  return best;
}

void find_effective(const std::vector<double>& energy, const Shape& sides, FieldMap& result) {
  std::array<int64_t, 3> all_sides{1, 1, 1};
  std::copy(sides.begin(), sides.end(), all_sides.end() - sides.rank());
  BoxSums sums(energy, all_sides);
  const Box3 limits = widened(result.box);
  const double all = sums(limits);
  result.effective = result.box;
  result.share = 1;
  result.energy = all > 0 ? 1 : 0;
  if (!(all > 0)) return;
  const Box3 best = smallest_box(sums, limits, wanted_energy * all);
  result.effective = narrowed(best, result.box.axes());
  result.energy = sums(best) / all;
  result.share = static_cast<double>(best.count()) / static_cast<double>(limits.count());
}

Array random_input(const Shape& shape, uint64_t seed, uint64_t index, bool masked) {
  Array values(DType::f32, shape);
  Random random(seed, "receptive field", index);
  for (float& value : values.data<float>()) value = static_cast<float>(random.normal());
  if (masked) {
    const auto channel = static_cast<size_t>(values.numel() / shape[1]);
    std::ranges::fill(values.data<float>().last(channel), 1.0F);
  }
  return values;
}

}  // namespace

int64_t FieldBox::count() const {
  int64_t count = 1;
  for (size_t axis = 0; axis < axes(); ++axis) count *= size(axis);
  return count;
}

std::string box_text(const FieldBox& box) {
  constexpr std::string_view names[] = {"slices", "rows", "columns"};
  std::vector<int64_t> sizes;
  std::string ranges;
  for (size_t axis = 0; axis < box.axes(); ++axis) {
    sizes.push_back(box.size(axis));
    const std::string_view name = box.axes() == 1 ? "positions" : names[axis + 3 - box.axes()];
    ranges += fmt::format(", {} {} to {}", name, box.first[axis], box.last[axis]);
  }
  return fmt::format("{}{}", fmt::join(sizes, "x"), ranges);
}

FieldMap measure_field(const nn::Module& model, State& state, const Shape& input,
                       const FieldTarget& target, const Array* given, uint64_t seed, bool masked) {
  check_input(input);
  FieldMap result;
  const Shape shape = Shape{1}.concat(input);
  const auto graph = nn::trace(model, shape);
  const Tensor values(graph, 0);
  require(graph->value(0).leaf == Leaf::input, "a traced model begins with its input");
  const Tensor score = target_of(*graph, values, target, result);
  const Tensor gradient = gradients(score, {values})[0];
  if (!gradient) {
    throw Error(ErrorKind::usage,
                fmt::format("receptive field: {} does not depend on the input", result.layer));
  }
  graph->output("map", sum(maximum(gradient, -gradient), {0, 1}));
  graph->output("energy", sum(gradient * gradient, {0, 1}));
  const Program program(*graph);
  const auto place = [&](std::string_view name) {
    const auto& outputs = program.graph().outputs();
    return static_cast<size_t>(std::ranges::find(outputs, name, &Graph::Named::first) -
                               outputs.begin());
  };
  constexpr uint64_t random_inputs = 8;
  const uint64_t runs = given != nullptr ? 1 : random_inputs;
  result.gradient = Array::zeros(DType::f32, input.slice(1));
  const std::span<float> map = result.gradient.data<float>();
  std::vector<double> energy(map.size());
  Memory memory;
  for (uint64_t run = 0; run < runs; ++run) {
    const Inputs inputs{
        {"input", given != nullptr ? *given : random_input(shape, seed, run, masked)}};
    const std::vector<Array> outputs = program.run(memory, state, inputs);
    if (!nonfinite_in(outputs[place("map")]).empty()) {
      throw nonfinite_error("receptive field: what the net computes is not finite",
                            nonfinite_origin(program, memory, state, inputs));
    }
    const std::span<const float> m = outputs[place("map")].data<float>(),
                                 e = outputs[place("energy")].data<float>();
    for (size_t i = 0; i < map.size(); ++i) {
      map[i] += m[i] / static_cast<float>(runs);
      energy[i] += std::isfinite(e[i]) ? e[i] : 0;
    }
  }
  find_effective(energy, input.slice(1), result);
  return result;
}

std::vector<FieldStage> field_stages(const nn::Module& model, const Shape& input) {
  check_input(input);
  const auto graph = nn::trace(model, Shape{1}.concat(input));
  const std::vector<ReceptiveField> fields = receptive_fields(*graph, Tensor(graph, 0));
  std::vector<FieldStage> stages;
  for (const Node& node : graph->nodes()) {
    const int out = node.outputs[0];
    const ReceptiveField& field = fields[static_cast<size_t>(out)];
    if (!node.op.window() || field.empty()) continue;
    const Shape& shape = graph->value(out).type.shape;
    const Shape sides = shape.slice(2);
    FieldStage stage{node.scope(), std::ranges::max_element(field, {}, &FieldAxis::size)->size,
                     *std::ranges::max_element(sides)};
    if (!stages.empty() && stages.back().size == stage.size) stages.pop_back();
    stages.push_back(std::move(stage));
  }
  if (stages.empty()) throw no_convolution("receptive field", model.name());
  return stages;
}

}  // namespace fovea::explain
