#include "fovea/ops/arithmetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/ops/activation.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/window.h"

namespace fovea {
namespace {

/// dy where x > 0, else 0.
Tensor where_positive(const Tensor& x, const Tensor& dy) {
  return x.graph().add_one(UnaryBackward{UnaryKind::relu}, {x, dy});
}

/// Gradients of both forms; the gradient of a broadcast operand is summed to its shape.
Tensors binary_gradient(BinaryKind kind, const Node& node, const Tensor& dy) {
  const Tensor a = node.input(0), b = node.input(1);
  Tensor da = dy, db = dy;
  switch (kind) {
    case BinaryKind::add:
      break;
    case BinaryKind::sub:
      db = -dy;
      break;
    case BinaryKind::mul:
      da = dy * b;
      db = dy * a;
      break;
    case BinaryKind::div:
      da = dy / b;
      db = -(da * node.output(0));
      break;
    case BinaryKind::maximum:
      da = where_positive(a - b, dy);
      db = dy - da;
      break;
    case BinaryKind::minimum:
      da = where_positive(b - a, dy);
      db = dy - da;
      break;
  }
  return {sum_to(da, a.shape()), sum_to(db, b.shape())};
}

void check_operands(std::string_view op, const Types& in) {
  require_inputs(op, in, 2);
  require_float(op, "first", in[0]);
  require_float(op, "second", in[1]);
  if (in[0].dtype == in[1].dtype) return;
  throw Error(ErrorKind::usage, fmt::format("{}: one operand is {}, the other {}", op,
                                            name(in[0].dtype), name(in[1].dtype)))
      .with("first", to_string(in[0]))
      .with("second", to_string(in[1]))
      .with("try", "cast() on one of them");
}

Tensor binary(BinaryKind kind, const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return a.graph().add_one(Binary{kind}, {a, b});
  return a.graph().add_one(BroadcastBinary{kind}, {a, b});
}

Tensor affine(const Tensor& x, double scale, double shift) {
  return x.graph().add_one(Affine{scale, shift}, {x});
}

Tensor number_like(const Tensor& x, double c) {
  return x.graph().constant(Array::full(x.dtype(), {}, c));
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  const int missing = to.rank() - from.rank();
  if (missing < 0) return false;
  for (int i = 0; i < from.rank(); ++i) {
    if (from[i] != 1 && from[i] != to[missing + i]) return false;
  }
  return true;
}

void require_broadcast(std::string_view op, const Shape& small, const Shape& large,
                       const Type& input) {
  if (broadcasts_to(small, large)) return;
  throw Error(ErrorKind::usage, fmt::format("{}: {} does not broadcast to {}", op, to_string(small),
                                            to_string(large)))
      .with("input", to_string(input))
      .with("try", "a shape whose axes, from the last one on, are equal or 1");
}

/// For each element of `large`, in order, the offset of its source element in `small`.
std::vector<int64_t> broadcast_offsets(const Shape& small, const Shape& large) {
  std::vector<int64_t> offsets;
  if (large.numel() == 0) return offsets;
  const std::vector<int64_t> sizes(large.begin(), large.end());
  std::vector<int64_t> index(sizes.size(), 0);
  const int missing = large.rank() - small.rank();
  do {
    int64_t at = 0;
    for (int i = 0; i < small.rank(); ++i) {
      at = at * small[i] + (small[i] == 1 ? 0 : index[static_cast<size_t>(missing + i)]);
    }
    offsets.push_back(at);
  } while (next_index(index, sizes));
  return offsets;
}

}  // namespace

double apply(BinaryKind kind, double a, double b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::sub:
      return a - b;
    case BinaryKind::mul:
      return a * b;
    case BinaryKind::div:
      return a / b;
    case BinaryKind::maximum:
      return a > b || std::isnan(a) ? a : b;
    case BinaryKind::minimum:
      return a < b || std::isnan(a) ? a : b;
  }
  return 0;
}

Shape broadcast_shape(std::string_view op, const Type& a, const Type& b) {
  Shape result = a.rank() >= b.rank() ? a.shape : b.shape;
  for (int i = 1; i <= std::min(a.rank(), b.rank()); ++i) {
    const int64_t da = a.dim(-i), db = b.dim(-i);
    if (da != db && da != 1 && db != 1) {
      throw Error(ErrorKind::usage,
                  fmt::format("{}: axis {} is {} in one operand and {} in the other", op,
                              result.rank() - i, da, db))
          .with("first", to_string(a))
          .with("second", to_string(b))
          .with("try", "shapes that are equal, or have 1 where they differ");
    }
    result.set(-i, da == 1 ? db : da);
  }
  return result;
}

std::span<const std::string_view> enum_names(BinaryKind) {
  static constexpr std::string_view names[] = {"add", "sub", "mul", "div", "maximum", "minimum"};
  return names;
}

std::string_view Binary::name() const { return enum_names(kind)[static_cast<size_t>(kind)]; }

Types Binary::infer(const Types& in) const {
  check_operands(name(), in);
  require(in[0].shape == in[1].shape, "operands of different shapes need BroadcastBinary");
  return like(in, 0);
}

Tensors Binary::gradient(const Node& node, const Tensors& dy) const {
  return binary_gradient(kind, node, dy[0]);
}

void Binary::reference(const Views& v) const {
  for (int64_t i = 0; i < v.out[0].numel(); ++i) {
    v.out[0][i] = apply(kind, v.in[0][i], v.in[1][i]);
  }
}

std::string_view BroadcastBinary::name() const {
  constexpr std::string_view names[] = {"broadcast_add", "broadcast_sub",     "broadcast_mul",
                                        "broadcast_div", "broadcast_maximum", "broadcast_minimum"};
  return names[static_cast<size_t>(kind)];
}

Types BroadcastBinary::infer(const Types& in) const {
  const std::string_view op = Binary{kind}.name();  // what the user wrote
  check_operands(op, in);
  return {{in[0].dtype, broadcast_shape(op, in[0], in[1])}};
}

Tensors BroadcastBinary::gradient(const Node& node, const Tensors& dy) const {
  return binary_gradient(kind, node, dy[0]);
}

void BroadcastBinary::reference(const Views& v) const {
  const View &a = v.in[0], &b = v.in[1], &y = v.out[0];
  const std::vector<int64_t> from_a = broadcast_offsets(a.shape, y.shape),
                             from_b = broadcast_offsets(b.shape, y.shape);
  for (size_t i = 0; i < from_a.size(); ++i) {
    y[static_cast<int64_t>(i)] = apply(kind, a[from_a[i]], b[from_b[i]]);
  }
}

Types Affine::infer(const Types& in) const {
  require_inputs(name, in, 1);
  require_float(name, "input", in[0]);
  return like(in, 0);
}

Tensors Affine::gradient(const Node&, const Tensors& dy) const {
  return {scale == 1 ? dy[0] : affine(dy[0], scale, 0)};
}

void Affine::reference(const Views& v) const {
  for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = scale * v.in[0][i] + shift;
}

Types SumTo::infer(const Types& in) const {
  require_inputs(name, in, 1);
  require_float(name, "input", in[0]);
  require_broadcast(name, shape, in[0].shape, in[0]);
  return {{in[0].dtype, shape}};
}

Tensors SumTo::gradient(const Node& node, const Tensors& dy) const {
  return {broadcast_to(dy[0], node.input(0).shape())};
}

void SumTo::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  std::fill_n(y.data, y.numel(), 0.0);
  const std::vector<int64_t> to = broadcast_offsets(shape, x.shape);
  for (size_t i = 0; i < to.size(); ++i) y[to[i]] += x[static_cast<int64_t>(i)];
}

Types SumOfProducts::infer(const Types& in) const {
  check_operands(name, in);
  if (in[0].shape != in[1].shape) {
    throw Error(ErrorKind::usage, fmt::format("{}: the factors have different shapes", name))
        .with("first", to_string(in[0]))
        .with("second", to_string(in[1]))
        .with("try", "sum_to(a * b, shape)");
  }
  require_broadcast(name, shape, in[0].shape, in[0]);
  return {{in[0].dtype, shape}};
}

Tensors SumOfProducts::gradient(const Node& node, const Tensors& dy) const {
  return {node.input(1) * dy[0], node.input(0) * dy[0]};
}

void SumOfProducts::reference(const Views& v) const {
  const View &a = v.in[0], &b = v.in[1], &y = v.out[0];
  std::fill_n(y.data, y.numel(), 0.0);
  const std::vector<int64_t> to = broadcast_offsets(shape, a.shape);
  for (int64_t i = 0; i < a.numel(); ++i) y[to[static_cast<size_t>(i)]] += a[i] * b[i];
}

Types MultiplyAdd::infer(const Types& in) const {
  require_inputs(name, in, 3);
  for (size_t i = 1; i < in.size(); ++i) {
    check_operands(name, {in[0], in[i]});
    require_broadcast(name, in[i].shape, in[0].shape, in[0]);
  }
  return like(in, 0);
}

Tensors MultiplyAdd::gradient(const Node& node, const Tensors& dy) const {
  const Tensor x = node.input(0), scale = node.input(1), shift = node.input(2);
  return {dy[0] * scale, sum_of_products(dy[0], x, scale.shape()), sum_to(dy[0], shift.shape())};
}

void MultiplyAdd::reference(const Views& v) const {
  const View &x = v.in[0], &scale = v.in[1], &shift = v.in[2];
  const std::vector<int64_t> of_scale = broadcast_offsets(scale.shape, x.shape),
                             of_shift = broadcast_offsets(shift.shape, x.shape);
  for (size_t i = 0; i < of_scale.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    v.out[0][at] = x[at] * scale[of_scale[i]] + shift[of_shift[i]];
  }
}

Types BroadcastTo::infer(const Types& in) const {
  require_inputs(name, in, 1);
  require_float(name, "input", in[0]);
  require_broadcast(name, in[0].shape, shape, in[0]);
  return {{in[0].dtype, shape}};
}

Tensors BroadcastTo::gradient(const Node& node, const Tensors& dy) const {
  return {sum_to(dy[0], node.input(0).shape())};
}

void BroadcastTo::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  const std::vector<int64_t> from = broadcast_offsets(x.shape, shape);
  for (size_t i = 0; i < from.size(); ++i) y[static_cast<int64_t>(i)] = x[from[i]];
}

Types Increment::infer(const Types& in) const {
  require_inputs(name, in, 1);
  if (in[0].dtype != DType::i64) {
    throw Error(ErrorKind::usage, fmt::format("increment: the input is {}, i64 is expected",
                                              fovea::name(in[0].dtype)))
        .with("input", to_string(in[0]))
        .with("try", "x + 1.0 for float types");
  }
  return like(in, 0);
}

void Increment::reference(const Views& v) const {
  for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = v.in[0][i] + 1;
}

Tensor operator+(const Tensor& a, const Tensor& b) { return binary(BinaryKind::add, a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return binary(BinaryKind::sub, a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return binary(BinaryKind::mul, a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return binary(BinaryKind::div, a, b); }

Tensor operator+(const Tensor& x, double c) { return affine(x, 1, c); }
Tensor operator+(double c, const Tensor& x) { return affine(x, 1, c); }
Tensor operator-(const Tensor& x, double c) { return affine(x, 1, -c); }
Tensor operator-(double c, const Tensor& x) { return affine(x, -1, c); }
Tensor operator*(const Tensor& x, double c) { return affine(x, c, 0); }
Tensor operator*(double c, const Tensor& x) { return affine(x, c, 0); }
Tensor operator/(const Tensor& x, double c) { return affine(x, 1 / c, 0); }
Tensor operator-(const Tensor& x) { return affine(x, -1, 0); }

Tensor maximum(const Tensor& a, const Tensor& b) { return binary(BinaryKind::maximum, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return binary(BinaryKind::minimum, a, b); }
Tensor maximum(const Tensor& x, double c) { return maximum(x, number_like(x, c)); }
Tensor minimum(const Tensor& x, double c) { return minimum(x, number_like(x, c)); }

Tensor sum_to(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : x.graph().add_one(SumTo{shape}, {x});
}

Tensor sum_of_products(const Tensor& a, const Tensor& b, const Shape& shape) {
  return a.graph().add_one(SumOfProducts{shape}, {a, b});
}

Tensor multiply_add(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  return x.graph().add_one(MultiplyAdd{}, {x, scale, shift});
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : x.graph().add_one(BroadcastTo{shape}, {x});
}

Tensor sum(const Tensor& x) { return sum_to(x, {}); }

Tensor mean(const Tensor& x) { return sum(x) / static_cast<double>(x.shape().numel()); }

Tensor increment(const Tensor& x) { return x.graph().add_one(Increment{}, {x}); }

}  // namespace fovea
