#include "fovea/ops/shape_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/ops/rules.h"
#include "fovea/ops/window.h"

namespace fovea {
namespace {

/// Copies to `part` the section of `full` of its size that starts at `begin` along `axis`, or
/// (`into_full`) the other way.
void copy_part(const View& full, const View& part, int axis, int64_t begin, bool into_full) {
  const int64_t inner = part.shape.slice(axis + 1).numel();
  const int64_t run = part.dim(axis) * inner, stride = full.dim(axis) * inner;
  for (int64_t outer = 0; outer < part.shape.slice(0, axis).numel(); ++outer) {
    double* in_full = full.data + outer * stride + begin * inner;
    double* in_part = part.data + outer * run;
    if (into_full) {
      std::copy_n(in_part, run, in_full);
    } else {
      std::copy_n(in_full, run, in_part);
    }
  }
}

std::string axes_text(const std::vector<int>& axes) {
  std::string text;
  for (int a : axes) text += (text.empty() ? "" : ", ") + std::to_string(a);
  return fmt::format("[{}]", text);
}

}  // namespace

Types Reshape::infer(const Types& in) const {
  require_inputs(name, in, 1);
  if (in[0].numel() != shape.numel()) {
    throw Error(ErrorKind::usage, fmt::format("reshape: the input has {} elements, {} has {}",
                                              in[0].numel(), to_string(shape), shape.numel()))
        .with("input", to_string(in[0]));
  }
  return {{in[0].dtype, shape}};
}

Tensors Reshape::gradient(const Node& node, const Tensors& dy) const {
  return {reshape(dy[0], node.input(0).shape())};
}

void Reshape::reference(const Views& v) const {
  std::copy_n(v.in[0].data, v.in[0].numel(), v.out[0].data);
}

Types Permute::infer(const Types& in) const {
  require_inputs(name, in, 1);
  const Type& x = in[0];
  std::vector<int> sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  bool each_once = static_cast<int>(axes.size()) == x.rank();
  for (int i = 0; each_once && i < x.rank(); ++i) each_once = sorted[static_cast<size_t>(i)] == i;
  if (!each_once) {
    throw Error(ErrorKind::usage,
                fmt::format("permute: axes {} must name each of the input's {} axes once",
                            axes_text(axes), x.rank()))
        .with("input", to_string(x));
  }
  Shape shape = x.shape;
  for (int i = 0; i < x.rank(); ++i) shape.set(i, x.dim(axes[static_cast<size_t>(i)]));
  return {{x.dtype, shape}};
}

Tensors Permute::gradient(const Node&, const Tensors& dy) const {
  std::vector<int> inverse(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) inverse[static_cast<size_t>(axes[i])] = int(i);
  return {permute(dy[0], inverse)};
}

void Permute::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  if (y.numel() == 0) return;
  std::vector<int64_t> stride(axes.size(), 1);  // of x along each axis of y
  for (size_t i = 0; i < axes.size(); ++i) stride[i] = x.shape.slice(axes[i] + 1).numel();
  const std::vector<int64_t> sizes(y.shape.begin(), y.shape.end());
  std::vector<int64_t> index(sizes.size(), 0);
  int64_t yi = 0;
  do {
    int64_t at = 0;
    for (size_t i = 0; i < index.size(); ++i) at += index[i] * stride[i];
    y[yi++] = x[at];
  } while (next_index(index, sizes));
}

Types Concat::infer(const Types& in) const {
  require(!in.empty(), "concat has no inputs");
  const Type& first = in[0];
  Shape shape = first.shape;
  require(axis >= 0 && axis < first.rank(), "concat along an axis that does not exist");
  for (size_t i = 1; i < in.size(); ++i) {
    Shape other = in[i].shape;
    if (other.rank() == shape.rank()) other.set(axis, first.dim(axis));
    if (other != first.shape || in[i].dtype != first.dtype) {
      throw Error(
          ErrorKind::usage,
          fmt::format("concat: inputs may differ only along axis {}, input {} does not fit input 0",
                      axis, i))
          .with("input 0", to_string(first))
          .with(fmt::format("input {}", i), to_string(in[i]));
    }
    shape.set(axis, shape[axis] + in[i].dim(axis));
  }
  return {{first.dtype, shape}};
}

Tensors Concat::gradient(const Node& node, const Tensors& dy) const {
  Tensors result;
  int64_t begin = 0;
  for (int i = 0; i < node.arity(); ++i) {
    const int64_t end = begin + node.input(i).dim(axis);
    result.push_back(slice(dy[0], axis, begin, end));
    begin = end;
  }
  return result;
}

void Concat::reference(const Views& v) const {
  int64_t begin = 0;
  for (const View& part : v.in) {
    copy_part(v.out[0], part, axis, begin, true);
    begin += part.dim(axis);
  }
}

Types Slice::infer(const Types& in) const {
  require_inputs(name, in, 1);
  const Type& x = in[0];
  require(axis >= 0 && axis < x.rank(), "slice along an axis that does not exist");
  if (begin < 0 || begin > end || end > x.dim(axis)) {
    throw Error(ErrorKind::usage,
                fmt::format("slice: [{}, {}) is not within axis {}, which has {} elements", begin,
                            end, axis, x.dim(axis)))
        .with("input", to_string(x));
  }
  Shape shape = x.shape;
  shape.set(axis, end - begin);
  return {{x.dtype, shape}};
}

Tensors Slice::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(SliceBackward{axis, begin, node.input(0).dim(axis)}, {dy[0]});
}

void Slice::reference(const Views& v) const { copy_part(v.in[0], v.out[0], axis, begin, false); }

Types SliceBackward::infer(const Types& in) const {
  require_inputs(name, in, 1);
  Shape shape = in[0].shape;
  shape.set(axis, size);
  return {{in[0].dtype, shape}};
}

void SliceBackward::reference(const Views& v) const {
  std::fill_n(v.out[0].data, v.out[0].numel(), 0.0);
  copy_part(v.out[0], v.in[0], axis, begin, true);
}

Types Cast::infer(const Types& in) const {
  require_inputs(name, in, 1);
  return {{dtype, in[0].shape}};
}

Tensors Cast::gradient(const Node& node, const Tensors& dy) const {
  const DType from = node.input(0).dtype();
  if (!is_float(from) || !is_float(dtype)) return {Tensor{}};
  return {cast(dy[0], from)};
}

void Cast::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  for (int64_t i = 0; i < x.numel(); ++i) y[i] = is_float(dtype) ? x[i] : std::trunc(x[i]);
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : x.graph().add_one(Reshape{shape}, {x});
}

Tensor flatten(const Tensor& x, int from) {
  from = checked_axis("flatten", from, x.type());
  const Shape kept = x.shape().slice(0, from);
  return reshape(x, kept.concat({x.shape().slice(from).numel()}));
}

std::vector<int> to_last(int rank) {
  std::vector<int> axes{0};
  for (int i = 2; i < rank; ++i) axes.push_back(i);
  axes.push_back(1);
  return axes;
}

std::vector<int> from_last(int rank) {
  std::vector<int> axes{0, rank - 1};
  for (int i = 2; i < rank; ++i) axes.push_back(i - 1);
  return axes;
}

bool is_view(const Op& op, const Types& in, const Types& out) {
  const auto* permute = op.as<Permute>();
  if (permute == nullptr) return op.traits().view;
  const Layout from = in[0].layout, to = out[0].layout;
  const int rank = in[0].rank();
  return (from == Layout::channels_last && to == Layout::plain && permute->axes == to_last(rank)) ||
         (from == Layout::plain && to == Layout::channels_last && permute->axes == from_last(rank));
}

bool is_view(const Node& node) {
  const auto types_of = [&](const std::vector<int>& ids) {
    Types result;
    for (const int id : ids) result.push_back(node.graph->value(id).type);
    return result;
  };
  return is_view(node.op, types_of(node.inputs), types_of(node.outputs));
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  return x.graph().add_one(Permute{axes}, {x});
}

Tensor concat(const Tensors& tensors, int axis) {
  if (tensors.empty()) {
    throw Error(ErrorKind::usage, "concat: there are no tensors to join")
        .with("try", "at least one tensor");
  }
  const Tensor& first = tensors[0];
  return first.graph().add_one(Concat{checked_axis("concat", axis, first.type())}, tensors);
}

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end) {
  return x.graph().add_one(Slice{checked_axis("slice", axis, x.type()), begin, end}, {x});
}

Tensors split(const Tensor& x, const std::vector<int64_t>& sizes, int axis) {
  axis = checked_axis("split", axis, x.type());
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("split: {}", what))
        .with("input", to_string(x.type()));
  };
  int64_t left = x.dim(axis);
  for (int64_t size : sizes) {
    if (size < 0) throw fail(fmt::format("a part has {} elements", size));
    if (size > left) {
      throw fail(fmt::format("the parts are longer than axis {}, which has {} elements", axis,
                             x.dim(axis)));
    }
    left -= size;
  }
  if (left != 0) {
    throw fail(fmt::format("the parts leave out {} of the {} elements of axis {}", left,
                           x.dim(axis), axis));
  }
  Tensors parts;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    parts.push_back(slice(x, axis, begin, begin + size));
    begin += size;
  }
  return parts;
}

Tensor cast(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : x.graph().add_one(Cast{dtype}, {x});
}

}  // namespace fovea
