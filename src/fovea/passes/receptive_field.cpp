#include "fovea/passes/receptive_field.h"

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/ops/window.h"

namespace fovea {
namespace {

/// The field of a value computed by one window from a value with field `in`.
ReceptiveField widened(ReceptiveField in, const Window& window) {
  require(in.size() == window.kernel.size(),
          "a window and its input have different numbers of axes");
  for (size_t i = 0; i < in.size(); ++i) {
    FieldAxis& axis = in[i];
    const int64_t reach = checked_product(window.dilation[i], window.kernel[i] - 1);
    axis.start -= checked_product(window.padding_begin[i], axis.jump);
    axis.size += checked_product(reach, axis.jump);
    axis.jump = checked_product(axis.jump, window.stride[i]);
  }
  return in;
}

/// The smallest field that contains both at each of `positions` positions. If their jumps differ,
/// the gap between them grows linearly, so the first and last positions decide.
FieldAxis united(const FieldAxis& a, const FieldAxis& b, int64_t positions) {
  const int64_t jump = std::max(a.jump, b.jump), last = std::max<int64_t>(positions - 1, 0);
  const auto drift = [&](const FieldAxis& f) { return checked_product(last, jump - f.jump); };
  const int64_t begin = std::min(a.start - drift(a), b.start - drift(b));
  const int64_t end = std::max(a.start + a.size, b.start + b.size);
  return {end - begin, jump, begin};
}

void unite(ReceptiveField& into, const ReceptiveField& other, const Shape& positions) {
  if (into.empty()) {
    into = other;
    return;
  }
  for (size_t i = 0; i < other.size(); ++i) {
    into[i] = united(into[i], other[i], positions[static_cast<int>(i)]);
  }
}

template <class Get>
std::string axes_text(const ReceptiveField& field, const Get& get) {
  std::vector<int64_t> values;
  for (const FieldAxis& axis : field) values.push_back(get(axis));
  return dims_text(values);
}

}  // namespace

std::vector<ReceptiveField> receptive_fields(const Graph& graph, const Tensor& image) {
  if (image.rank() < 3) {
    throw Error(ErrorKind::usage, "receptive_field: the image has no spatial axes")
        .with("image", to_string(image.type()))
        .with("try", "a value with N, C and 1 to 3 spatial axes");
  }
  std::vector<ReceptiveField> fields(graph.values().size());
  fields[static_cast<size_t>(image.id())].resize(static_cast<size_t>(image.rank() - 2));
  for (const Node& node : graph.nodes()) {
    const std::optional<Window> window = node.op.window();
    for (int out : node.outputs) {
      const Shape positions = graph.value(out).type.shape.slice(2);
      ReceptiveField& field = fields[static_cast<size_t>(out)];
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        const ReceptiveField& seen = fields[static_cast<size_t>(node.inputs[i])];
        if (seen.empty()) continue;
        if (window && i == 0) {
          unite(field, widened(seen, *window), positions);
        } else if (graph.value(node.inputs[i]).type.shape.slice(2) == positions) {
          unite(field, seen, positions);
        }
      }
    }
  }
  return fields;
}

ReceptiveField receptive_field(const Graph& graph, const Tensor& image) {
  const std::vector<ReceptiveField> fields = receptive_fields(graph, image);
  const auto last = std::find_if(fields.rbegin(), fields.rend(),
                                 [](const ReceptiveField& field) { return !field.empty(); });
  return *last;  // the image itself has one
}

std::string size_text(const ReceptiveField& field) {
  return axes_text(field, [](const FieldAxis& axis) { return axis.size; });
}

std::string jump_text(const ReceptiveField& field) {
  return axes_text(field, [](const FieldAxis& axis) { return axis.jump; });
}

}  // namespace fovea
