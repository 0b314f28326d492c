#include "fovea/explain/receptive_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "fovea/core/random.h"
#include "fovea/draw/chart.h"
#include "fovea/draw/grid.h"
#include "fovea/draw/heat.h"
#include "fovea/explain/layers.h"
#include "fovea/images/resize.h"
#include "fovea/nn/trace.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/autodiff.h"
#include "fovea/passes/receptive_field.h"
#include "fovea/runtime/program.h"

namespace fovea::explain {
namespace {

constexpr double wanted_energy = 0.95;

void check_input(const Shape& input) {
  if (input.rank() == 3) return;
  throw Error(ErrorKind::usage, "receptive field: the model's inputs are not images")
      .with("input", fmt::format("{}", fmt::join(input.begin(), input.end(), "x")))
      .with("expected", "C, H, W");
}

/// The result of a module as the target's layer: named, or the last with positions in the image.
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
    if (value.rank() == 4 && !fields[static_cast<size_t>(value.id())].empty())
      return {call.path, value};
  }
  throw no_convolution("receptive field", graph.title());
}

/// The pixels that position `p` along one axis could see, inside an image of `size`.
std::pair<int64_t, int64_t> pixels(const ReceptiveField& field, size_t axis, int64_t p,
                                   int64_t size) {
  if (field.empty()) return {0, size - 1};
  const FieldAxis& f = field[axis];
  const int64_t first = p * f.jump + f.start;
  return {std::clamp<int64_t>(first, 0, size - 1),
          std::clamp<int64_t>(first + f.size - 1, 0, size - 1)};
}

/// The target as a scalar of the graph, with `result`'s layer, position and box filled in.
Tensor target_of(Graph& graph, const Tensor& image, const FieldTarget& target, FieldMap& result) {
  const std::vector<ReceptiveField> fields = receptive_fields(graph, image);
  const int64_t height = image.shape()[2], width = image.shape()[3];
  if (target.output) {
    const Tensor output = flatten(graph.output("output"));
    if (*target.output < 0 || *target.output >= output.shape()[1]) {
      throw Error(ErrorKind::usage,
                  fmt::format("receptive field: there is no output {}", *target.output))
          .with("outputs", std::to_string(output.shape()[1]));
    }
    result.layer = "output";
    result.box = {0, 0, height - 1, width - 1};
    return sum(slice(output, 1, *target.output, *target.output + 1));
  }
  const Tap layer = chosen_layer(graph, target.layer, fields);
  const Shape& shape = layer.value.shape();
  result.layer = layer.name;
  if (shape.rank() != 4) {
    throw Error(ErrorKind::usage, fmt::format("receptive field: {} has no positions", layer.name))
        .with("output", to_string(layer.value.type()))
        .with("try", "--class for an output of the net, or another layer");
  }
  result.height = shape[2];
  result.width = shape[3];
  std::tie(result.y, result.x) = target.position.value_or(std::pair{shape[2] / 2, shape[3] / 2});
  if (result.y < 0 || result.y >= shape[2] || result.x < 0 || result.x >= shape[3]) {
    throw Error(ErrorKind::usage, fmt::format("receptive field: position {},{} lies outside {}",
                                              result.y, result.x, layer.name))
        .with("output", fmt::format("{}x{}", shape[2], shape[3]));
  }
  const ReceptiveField& field = fields[static_cast<size_t>(layer.value.id())];
  std::tie(result.box.top, result.box.bottom) = pixels(field, 0, result.y, height);
  std::tie(result.box.left, result.box.right) = pixels(field, 1, result.x, width);
  const Tensor row = slice(layer.value, 2, result.y, result.y + 1);
  return sum(slice(row, 3, result.x, result.x + 1));
}

/// Sums over prefixes of rows and columns, to get the sum of any box at once.
class BoxSums {
 public:
  BoxSums(const std::vector<double>& values, int64_t height, int64_t width)
      : width_(width + 1), sums_(static_cast<size_t>((height + 1) * width_)) {
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        at(y + 1, x + 1) =
            at(y, x + 1) + at(y + 1, x) - at(y, x) + values[static_cast<size_t>(y * width + x)];
      }
    }
  }
  double operator()(const PixelBox& b) {
    return at(b.bottom + 1, b.right + 1) - at(b.top, b.right + 1) - at(b.bottom + 1, b.left) +
           at(b.top, b.left);
  }

 private:
  double& at(int64_t y, int64_t x) { return sums_[static_cast<size_t>(y * width_ + x)]; }
  int64_t width_;
  std::vector<double> sums_;
};

/// The smallest box inside `limits` that holds the wanted share of all energy. Of large limits only
/// some rows are tried as its ends.
void find_effective(const std::vector<double>& energy, int64_t width, FieldMap& result) {
  BoxSums sums(energy, std::ssize(energy) / width, width);
  const PixelBox& limits = result.box;
  const double all = sums(limits);
  result.effective = limits;
  result.share = 1;
  result.energy = all > 0 ? 1 : 0;
  if (!(all > 0)) return;
  constexpr int64_t most_rows = 256;
  const int64_t stride = (limits.height() + most_rows - 1) / most_rows;
  const double wanted = wanted_energy * all;
  for (int64_t top = limits.top; top <= limits.bottom; top += stride) {
    for (int64_t bottom = limits.bottom; bottom >= top; bottom -= stride) {
      if (sums({top, limits.left, bottom, limits.right}) < wanted) break;
      int64_t left = limits.left;
      for (int64_t right = limits.left; right <= limits.right; ++right) {
        while (left < right && sums({top, left + 1, bottom, right}) >= wanted) ++left;
        const PixelBox box{top, left, bottom, right};
        if (box.area() < result.effective.area() && sums(box) >= wanted) result.effective = box;
      }
    }
  }
  result.energy = sums(result.effective) / all;
  result.share = static_cast<double>(result.effective.area()) / static_cast<double>(limits.area());
}

Array random_input(const Shape& shape, uint64_t seed, uint64_t index) {
  Array values(DType::f32, shape);
  Random random(seed, "receptive field", index);
  for (float& value : values.data<float>()) value = static_cast<float>(random.normal());
  return values;
}

draw::Box drawn(const PixelBox& box, double scale) {
  return {static_cast<double>(box.top) * scale, static_cast<double>(box.left) * scale,
          static_cast<double>(box.height()) * scale, static_cast<double>(box.width()) * scale};
}

}  // namespace

FieldMap measure_field(const nn::Module& model, State& state, const Shape& input,
                       const FieldTarget& target, const Array* given, uint64_t seed) {
  check_input(input);
  FieldMap result;
  const Shape shape = Shape{1}.concat(input);
  const auto graph = nn::trace(model, shape);
  const Tensor image(graph, 0);
  require(graph->value(0).leaf == Leaf::input, "a traced model begins with its input");
  const Tensor score = target_of(*graph, image, target, result);
  const Tensor gradient = gradients(score, {image})[0];
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
    const std::vector<Array> outputs = program.run(
        memory, state, {{"input", given != nullptr ? *given : random_input(shape, seed, run)}});
    const std::span<const float> m = outputs[place("map")].data<float>(),
                                 e = outputs[place("energy")].data<float>();
    for (size_t i = 0; i < map.size(); ++i) {
      map[i] += m[i] / static_cast<float>(runs);
      energy[i] += std::isfinite(e[i]) ? e[i] : 0;
    }
  }
  find_effective(energy, input[2], result);
  return result;
}

Image field_picture(const FieldMap& field, const Image* picture) {
  constexpr int side = 448;
  const draw::Colormap& colors = draw::colormap("inferno");
  draw::Range range = draw::min_max(field.gradient.data<float>());
  range.low = 0;
  const auto height = static_cast<int>(field.gradient.dim(0)),
             width = static_cast<int>(field.gradient.dim(1));
  Image base = draw::heat_image(field.gradient, range, colors);
  if (picture != nullptr) {
    const Image under = resize(to_rgb(*picture), height, width, Filter::bilinear);
    base = draw::overlay(under, field.gradient, range, {.opacity = 0.65});
  }
  const Image large = draw::scaled_to(base, side);
  const double scale = static_cast<double>(large.height) / height;
  draw::Canvas canvas(large);
  canvas.outline(drawn(field.box, scale), draw::white, 2);
  constexpr draw::Color bright{0, 220, 255};
  canvas.outline(drawn(field.effective, scale), bright, 2);
  const Image framed = draw::with_color_bar(canvas.image(), range, colors);
  const std::string what = field.layer == "output"
                               ? "an output of the net"
                               : fmt::format("{} at {},{} of {}x{}", field.layer, field.y, field.x,
                                             field.height, field.width);
  const auto size = [](const PixelBox& b) { return fmt::format("{}x{}", b.height(), b.width()); };
  constexpr int line = 24, margin = 12;
  draw::Canvas page(framed.height + 3 * line + margin, std::max(framed.width, 480));
  page.text(margin, margin, draw::fitted(what, page.width() - 2 * margin, 2),
            {.scale = 2, .bold = true});
  page.paste(framed, line + margin / 2, 0);
  const int bottom = line + framed.height + margin / 2;
  page.outline({bottom + 1.0, margin, 16, 16}, draw::faint, 2);
  page.text(bottom, margin + 24, fmt::format("could matter: {}", size(field.box)), {.scale = 2});
  page.fill({bottom + line + 1.0, margin, 16, 16}, bright);
  page.text(bottom + line, margin + 24,
            fmt::format("95 % of the energy: {}", size(field.effective)), {.scale = 2});
  return std::move(page).image();
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
    FieldStage stage{node.scope(), std::max(field[0].size, field[1].size),
                     std::max(shape[2], shape[3])};
    if (!stages.empty() && stages.back().size == stage.size) stages.pop_back();
    stages.push_back(std::move(stage));
  }
  if (stages.empty()) throw no_convolution("receptive field", model.name());
  return stages;
}

Image stages_picture(const std::vector<FieldStage>& stages) {
  draw::Bars fields{.groups = {{}}, .x_label = "pixels"}, sizes = fields;
  sizes.groups[0].color = draw::series_color(1);
  for (const FieldStage& stage : stages) {
    fields.names.push_back(stage.layer);
    fields.groups[0].values.push_back(static_cast<double>(stage.field));
    sizes.groups[0].values.push_back(static_cast<double>(stage.size));
  }
  sizes.names = fields.names;
  return draw::chart_image({.panels = {{"receptive field", fields}, {"size of maps", sizes}}});
}

}  // namespace fovea::explain
