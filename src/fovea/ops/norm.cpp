#include "fovea/ops/norm.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// Values of one channel, in order: body(flat offset).
template <class Body>
void for_each_in_channel(const Shape& x, int64_t c, const Body& body) {
  const int64_t plane = x.slice(2).numel();
  for (int64_t n = 0; n < x[0]; ++n) {
    const int64_t first = (n * x[1] + c) * plane;
    for (int64_t i = first; i < first + plane; ++i) body(i);
  }
}

int64_t values_per_channel(const Shape& x) { return checked_product(x[0], x.slice(2).numel()); }

/// Errors: usage when x is not N, C and at most 3 spatial axes of a float type.
void require_channels(std::string_view op, const Type& x) {
  require_float(op, "input", x);
  if (x.rank() >= 2 && x.rank() <= 5) return;
  throw Error(ErrorKind::usage,
              fmt::format("{}: the input has {}; N, C and at most 3 spatial ones are expected", op,
                          axis_count(x.rank())))
      .with("input", to_string(x));
}

/// Checks common to both forms: x, four values [C] and the residual.
void check_batch_norm(const Types& in, bool residual, const std::string_view (&vectors)[4]) {
  constexpr std::string_view op = BatchNorm::name;
  require_inputs(op, in, residual ? 6 : 5);
  const Type& x = in[0];
  require_channels(op, x);
  for (size_t i = 0; i < 4; ++i) {
    const Type& vector = in[i + 1];
    if (vector.rank() == 1 && vector.dim(0) != x.dim(1)) {
      throw Error(ErrorKind::usage,
                  fmt::format("batch_norm: input has {}, {} has {}", counted(x.dim(1), "channel"),
                              vectors[i], vector.dim(0)))
          .with("input", to_string(x, image_axes(x.rank())))
          .with(vectors[i], to_string(vector, "C"))
          .with("try", fmt::format("a norm of {}", counted(x.dim(1), "channel")));
    }
    require_type(op, vectors[i], vector, {accumulate_dtype(x.dtype), {x.dim(1)}}, x);
  }
  if (residual) require_type(op, "residual", in[5], {x.dtype, x.shape}, x);
}

/// What the activation of an epilogue, if there is one, is applied to, at offset i of a channel.
struct Normalised {
  const View& x;
  double mean, scale, beta;
  const View* residual;

  double operator()(int64_t i) const {
    return (x[i] - mean) * scale + beta + (residual != nullptr ? (*residual)[i] : 0);
  }
};

double activated(const NormEpilogue& epilogue, double z) {
  return epilogue.activation ? unary_rule(*epilogue.activation).f(z, epilogue.alpha) : z;
}

/// Calls body(offset in y, that of the largest value in x) for the windows of one channel: of equal
/// values the first in row-major order, and NaN counts as largest.
template <class Body>
void for_each_maximum(const Shape& x, int64_t c, const NormEpilogue& epilogue, const Normalised& z,
                      const Body& body) {
  const int64_t side = epilogue.pool, rows = x[2] / side, columns = x[3] / side;
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t i = 0; i < rows * columns; ++i) {
      const int64_t corner =
          ((n * x[1] + c) * x[2] + i / columns * side) * x[3] + i % columns * side;
      int64_t best = corner;
      for (int64_t k = 1; k < side * side; ++k) {
        const int64_t at = corner + k / side * x[3] + k % side;
        const double value = activated(epilogue, z(at)), least = activated(epilogue, z(best));
        if (value > least || (std::isnan(value) && !std::isnan(least))) best = at;
      }
      body((n * x[1] + c) * rows * columns + i, best);
    }
  }
}

/// y of one channel, in all forms.
void normalise_channel(const View& y, int64_t c, const NormEpilogue& epilogue,
                       const Normalised& z) {
  const auto store = [&](int64_t to, int64_t from) { y[to] = activated(epilogue, z(from)); };
  if (epilogue.pool > 0) return for_each_maximum(z.x.shape, c, epilogue, z, store);
  for_each_in_channel(y.shape, c, [&](int64_t i) { store(i, i); });
}

/// The residual: the last input, if there is one.
const View* residual_of(const NormEpilogue& epilogue, const Views& v) {
  return epilogue.residual ? &v.in.back() : nullptr;
}

/// Errors: usage unless `vector` has one number per channel of x, in its accumulate_dtype.
void require_vector(std::string_view op, std::string_view what, const Tensor& vector,
                    const Tensor& x) {
  require_type(op, what, vector.type(), {accumulate_dtype(x.dtype()), {x.dim(1)}}, x.type());
}

/// `vector`, or if it has no value a constant `value` of x's accumulate_dtype and `shape`.
Tensor or_constant(const Tensor& vector, const Tensor& x, const Shape& shape, double value) {
  if (vector) return vector;
  return x.graph().constant(Array::full(accumulate_dtype(x.dtype()), shape, value));
}

/// The same for a norm over channels; an x without them is refused by the norm.
Tensor or_constant(const Tensor& vector, const Tensor& x, double value) {
  return or_constant(vector, x, {x.rank() > 1 ? x.dim(1) : 1}, value);
}

/// Group norm; without `number`, each channel is a group.
Tensor normalise_groups(std::string_view op, const Tensor& x, std::optional<int64_t> number,
                        const Tensor& gamma, const Tensor& beta, double eps) {
  require_channels(op, x.type());
  if (gamma) require_vector(op, "gamma", gamma, x);
  if (beta) require_vector(op, "beta", beta, x);
  const int64_t channels = x.dim(1), groups = number.value_or(channels);
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("{}: {}", op, what))
        .with("input", to_string(x.type(), image_axes(x.rank())));
  };
  if (number && (groups < 1 || channels % groups != 0)) {
    throw fail(fmt::format("groups={} does not divide {} channels", groups, channels));
  }
  const int64_t size = x.shape().slice(1).numel() / std::max<int64_t>(groups, 1);
  if (size == 0) throw fail("a group has no elements");
  Tensor y = layer_norm(reshape(x, {x.dim(0), groups, size}), {}, {}, 1, eps);
  y = reshape(y, x.shape());
  if (gamma) y = y * per_channel(gamma, x);
  return beta ? y + per_channel(beta, x) : y;
}

}  // namespace

bool tiles(const Type& x, int64_t side) {
  return x.rank() == 4 && side > 1 && x.dim(2) % side == 0 && x.dim(3) % side == 0;
}

Type NormEpilogue::result(const Type& x) const {
  if (pool == 0) return {x.dtype, x.shape};
  require(tiles(x, pool) && !residual, "batch_norm: its pool does not tile the input's images");
  return {x.dtype, {x.dim(0), x.dim(1), x.dim(2) / pool, x.dim(3) / pool}};
}

bool follows_norm(UnaryKind kind) {
  constexpr UnaryKind kinds[] = {UnaryKind::relu, UnaryKind::leaky_relu, UnaryKind::relu6,
                                 UnaryKind::gelu, UnaryKind::silu,       UnaryKind::hardswish};
  return std::ranges::find(kinds, kind) != std::end(kinds);
}

Types BatchNorm::infer(const Types& in) const {
  check_batch_norm(in, epilogue.residual, {"gamma", "beta", "running_mean", "running_var"});
  const Type& x = in[0];
  const int64_t count = values_per_channel(x.shape);
  if (count < 2) {
    throw Error(
        ErrorKind::usage,
        fmt::format("batch_norm: {} per channel; training needs at least 2 to compute a variance",
                    count == 1 ? "one value" : "no values"))
        .with("input", to_string(x, image_axes(x.rank())))
        .with("try", "a larger batch (or no last batch of 1), a larger image, or eval mode");
  }
  const Type vector{accumulate_dtype(x.dtype), {x.dim(1)}};
  return {epilogue.result(x), vector, vector, vector, vector, vector};
}

Tensors BatchNorm::gradient(const Node& node, const Tensors& dy) const {
  if (!dy[0]) return {};  // the statistics have no gradient
  const bool active = epilogue.selects();
  Tensors in{node.input(0), node.input(1), node.output(1), node.output(2)};
  if (active) {
    in.push_back(node.output(5));
    in.push_back(node.input(2));
    if (epilogue.residual) in.push_back(node.input(5));
  }
  in.push_back(dy[0]);
  Tensors result = node.graph->add(BatchNormBackward{active ? epilogue : NormEpilogue{}}, in);
  result.insert(result.begin() + 3, 2, Tensor{});  // none for the running statistics
  if (epilogue.residual && !active) result.push_back(dy[0]);
  return result;
}

void BatchNorm::reference(const Views& v) const {
  const View &x = v.in[0], &gamma = v.in[1], &beta = v.in[2];
  const View &mean = v.out[1], &scale = v.out[5];
  BatchNormStatistics{eps, momentum}.reference(
      {.in = {x, gamma, v.in[3], v.in[4]}, .out = {v.out.begin() + 1, v.out.end()}});
  for (int64_t c = 0; c < x.dim(1); ++c) {
    normalise_channel(v.out[0], c, epilogue,
                      {x, mean[c], scale[c], beta[c], residual_of(epilogue, v)});
  }
}

Types BatchNormStatistics::infer(const Types& in) const {
  require_inputs(name, in, count > 0 ? 5 : 4);
  if (count > 0) {
    require(count > 1, "batch_norm_statistics: one value per channel");
    for (const Type& vector : in) require_type(name, "vector", vector, in[0], in[0]);
    return {5, in[0]};
  }
  const Types all = BatchNorm{eps, momentum}.infer({in[0], in[1], in[1], in[2], in[3]});
  return {all.begin() + 1, all.end()};
}

void BatchNormStatistics::reference(const Views& v) const {
  const View& x = v.in[0];
  const size_t first = count > 0 ? 2 : 1;
  const View &gamma = v.in[first], &running_mean = v.in[first + 1], &running_var = v.in[first + 2];
  const auto values = static_cast<double>(count > 0 ? count : values_per_channel(x.shape));
  for (int64_t c = 0; c < gamma.dim(0); ++c) {
    double mean = 0, var = 0;
    if (count > 0) {
      mean = x[c];
      var = v.in[1][c];
    } else {
      for_each_in_channel(x.shape, c, [&](int64_t i) { mean += x[i] / values; });
      for_each_in_channel(x.shape, c,
                          [&](int64_t i) { var += (x[i] - mean) * (x[i] - mean) / values; });
    }
    const double rstd = 1 / std::sqrt(var + eps);
    v.out[0][c] = mean;
    v.out[1][c] = rstd;
    v.out[2][c] = (1 - momentum) * running_mean[c] + momentum * mean;
    v.out[3][c] = (1 - momentum) * running_var[c] + momentum * var * values / (values - 1);
    v.out[4][c] = gamma[c] * rstd;
  }
}

Types BatchNormAgain::infer(const Types& in) const {
  require_inputs(name, in, epilogue.residual ? 5 : 4);
  return {epilogue.result(in[0])};
}

void BatchNormAgain::reference(const Views& v) const {
  for (int64_t c = 0; c < v.in[0].dim(1); ++c) {
    normalise_channel(v.out[0], c, epilogue,
                      {v.in[0], v.in[1][c], v.in[2][c], v.in[3][c], residual_of(epilogue, v)});
  }
}

Types BatchNormBackward::infer(const Types& in) const {
  require_inputs(name, in, epilogue.selects() ? 7 + epilogue.residual : 5);
  const Type x{in[0].dtype, in[0].shape}, vector{in[1].dtype, in[1].shape};
  Types out{x, vector, vector};
  if (epilogue.residual) out.push_back(x);
  return out;
}

void BatchNormBackward::reference(const Views& v) const {
  const View &x = v.in[0], &gamma = v.in[1], &mean = v.in[2], &rstd = v.in[3], &dy = v.in.back();
  const auto count = static_cast<double>(values_per_channel(x.shape));
  std::vector<double> chosen;  // dy where pools found their maxima
  if (epilogue.pool > 0) chosen.resize(static_cast<size_t>(x.numel()));
  for (int64_t c = 0; c < x.dim(1); ++c) {
    const View* residual = epilogue.residual && epilogue.activation ? &v.in[6] : nullptr;
    const Normalised z{x, mean[c], epilogue.selects() ? v.in[4][c] : 0,
                       epilogue.selects() ? v.in[5][c] : 0, residual};
    if (epilogue.pool > 0) {
      for_each_maximum(x.shape, c, epilogue, z, [&](int64_t from, int64_t to) {
        chosen[static_cast<size_t>(to)] = dy[from];
      });
    }
    const auto upstream = [&](int64_t i) {
      const double d = epilogue.pool > 0 ? chosen[static_cast<size_t>(i)] : dy[i];
      if (!epilogue.activation) return d;
      const double slope = unary_rule(*epilogue.activation).df(z(i), epilogue.alpha);
      return slope == 0 ? 0 : d * slope;
    };
    double dgamma = 0, dbeta = 0;
    const auto normalised = [&](int64_t i) { return (x[i] - mean[c]) * rstd[c]; };
    const auto add = [&](int64_t i) {
      dgamma += upstream(i) * normalised(i);
      dbeta += upstream(i);
    };
    if (epilogue.pool > 0) {
      for_each_maximum(x.shape, c, epilogue, z, [&](int64_t, int64_t i) { add(i); });
    } else {
      for_each_in_channel(x.shape, c, add);
    }
    for_each_in_channel(x.shape, c, [&](int64_t i) {
      const double d = upstream(i);
      v.out[0][i] = gamma[c] * rstd[c] * (d - dbeta / count - normalised(i) * dgamma / count);
      if (epilogue.residual) v.out[3][i] = d;
    });
    v.out[1][c] = dgamma;
    v.out[2][c] = dbeta;
  }
}

Types BatchNormEval::infer(const Types& in) const {
  check_batch_norm(in, epilogue.residual, {"gamma", "beta", "mean", "var"});
  return {epilogue.result(in[0])};
}

Tensors BatchNormEval::gradient(const Node& node, const Tensors& dy) const {
  require(!epilogue.residual && !epilogue.selects(),
          "batch_norm_eval: the gradient is taken before fusion");
  Tensors result =
      node.graph->add(BatchNormEvalBackward{eps},
                      {node.input(0), node.input(1), node.input(3), node.input(4), dy[0]});
  result.resize(5);  // none for the statistics
  return result;
}

void BatchNormEval::reference(const Views& v) const {
  for (int64_t c = 0; c < v.in[0].dim(1); ++c) {
    normalise_channel(v.out[0], c, epilogue,
                      {v.in[0], v.in[3][c], v.in[1][c] / std::sqrt(v.in[4][c] + eps), v.in[2][c],
                       residual_of(epilogue, v)});
  }
}

Types BatchNormEvalBackward::infer(const Types& in) const {
  require_inputs(name, in, 5);
  const Type vector{in[1].dtype, in[1].shape};
  return {{in[0].dtype, in[0].shape}, vector, vector};
}

void BatchNormEvalBackward::reference(const Views& v) const {
  const View &x = v.in[0], &gamma = v.in[1], &mean = v.in[2], &var = v.in[3], &dy = v.in[4];
  for (int64_t c = 0; c < x.dim(1); ++c) {
    const double rstd = 1 / std::sqrt(var[c] + eps);
    double dgamma = 0, dbeta = 0;
    for_each_in_channel(x.shape, c, [&](int64_t i) {
      dgamma += dy[i] * (x[i] - mean[c]) * rstd;
      dbeta += dy[i];
      v.out[0][i] = dy[i] * gamma[c] * rstd;
    });
    v.out[1][c] = dgamma;
    v.out[2][c] = dbeta;
  }
}

Types LayerNorm::infer(const Types& in) const {
  require_inputs(name, in, 3);
  const Type& x = in[0];
  require_float(name, "input", x);
  if (axes < 1 || axes > x.rank()) {
    throw Error(ErrorKind::usage,
                fmt::format("layer_norm: it normalises the last {} axes, but the input has {}",
                            axes, x.rank()))
        .with("input", to_string(x));
  }
  const Shape row = x.shape.slice(x.rank() - axes), rows = x.shape.slice(0, x.rank() - axes);
  const DType dtype = accumulate_dtype(x.dtype);
  require_type(name, "gamma", in[1], {dtype, row}, x);
  require_type(name, "beta", in[2], {dtype, row}, x);
  if (row.numel() == 0) {
    throw Error(ErrorKind::usage, "layer_norm: the axes to normalise have no elements")
        .with("input", to_string(x));
  }
  return {{x.dtype, x.shape}, {dtype, rows}, {dtype, rows}};
}

Tensors LayerNorm::gradient(const Node& node, const Tensors& dy) const {
  if (!dy[0]) return {};
  return node.graph->add(LayerNormBackward{},
                         {node.input(0), node.input(1), node.output(1), node.output(2), dy[0]});
}

void LayerNorm::reference(const Views& v) const {
  const View &x = v.in[0], &gamma = v.in[1], &beta = v.in[2];
  const int64_t size = gamma.numel();
  for (int64_t row = 0; row < v.out[1].numel(); ++row) {
    double mean = 0, var = 0;
    const double* values = x.data + row * size;
    for (int64_t i = 0; i < size; ++i) mean += values[i] / static_cast<double>(size);
    for (int64_t i = 0; i < size; ++i) {
      var += (values[i] - mean) * (values[i] - mean) / static_cast<double>(size);
    }
    const double rstd = 1 / std::sqrt(var + eps);
    for (int64_t i = 0; i < size; ++i) {
      v.out[0][row * size + i] = gamma[i] * (values[i] - mean) * rstd + beta[i];
    }
    v.out[1][row] = mean;
    v.out[2][row] = rstd;
  }
}

Types LayerNormBackward::infer(const Types& in) const {
  require_inputs(name, in, 5);
  const Type vector{in[1].dtype, in[1].shape};
  return {{in[0].dtype, in[0].shape}, vector, vector};
}

void LayerNormBackward::reference(const Views& v) const {
  const View &x = v.in[0], &gamma = v.in[1], &mean = v.in[2], &rstd = v.in[3], &dy = v.in[4];
  const View &dx = v.out[0], &dgamma = v.out[1], &dbeta = v.out[2];
  const int64_t size = gamma.numel();
  for (int64_t i = 0; i < size; ++i) dgamma[i] = dbeta[i] = 0;
  for (int64_t row = 0; row < mean.numel(); ++row) {
    const int64_t first = row * size;
    const auto normalised = [&](int64_t i) { return (x[first + i] - mean[row]) * rstd[row]; };
    double sum = 0, dot = 0;  // of gamma * dy, and of its product with the normalised x
    for (int64_t i = 0; i < size; ++i) {
      dgamma[i] += dy[first + i] * normalised(i);
      dbeta[i] += dy[first + i];
      sum += gamma[i] * dy[first + i] / static_cast<double>(size);
      dot += gamma[i] * dy[first + i] * normalised(i) / static_cast<double>(size);
    }
    for (int64_t i = 0; i < size; ++i) {
      dx[first + i] = rstd[row] * (gamma[i] * dy[first + i] - sum - normalised(i) * dot);
    }
  }
}

Tensors batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                   const Tensor& running_mean, const Tensor& running_var,
                   const BatchNormOptions& options) {
  if (x.graph().mode() == Mode::eval) {
    return {batch_norm_eval(x, gamma, beta, running_mean, running_var, options.eps)};
  }
  const Tensors out = x.graph().add(
      BatchNorm{.eps = options.eps, .momentum = options.momentum},
      {x, or_constant(gamma, x, 1), or_constant(beta, x, 0), running_mean, running_var});
  return {out[0], out[3], out[4]};
}

Tensor batch_norm_eval(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                       const Tensor& var, double eps) {
  return x.graph().add_one(BatchNormEval{.eps = eps},
                           {x, or_constant(gamma, x, 1), or_constant(beta, x, 0), mean, var});
}

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, int axes, double eps) {
  const Shape row = axes >= 1 && axes <= x.rank() ? x.shape().slice(x.rank() - axes) : Shape{};
  return x.graph().add(LayerNorm{axes, eps},
                       {x, or_constant(gamma, x, row, 1), or_constant(beta, x, row, 0)})[0];
}

Tensor layer_norm_channels(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  constexpr std::string_view op = "layer_norm_channels";
  require_image(op, x.type());
  if (gamma) require_vector(op, "gamma", gamma, x);
  if (beta) require_vector(op, "beta", beta, x);
  return permute(layer_norm(permute(x, to_last(x.rank())), gamma, beta, 1, eps),
                 from_last(x.rank()));
}

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gamma, const Tensor& beta,
                  double eps) {
  return normalise_groups("group_norm", x, groups, gamma, beta, eps);
}

Tensor instance_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  return normalise_groups("instance_norm", x, std::nullopt, gamma, beta, eps);
}

Tensor global_response_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  constexpr std::string_view op = "global_response_norm";
  require_image(op, x.type());
  require_vector(op, "gamma", gamma, x);
  require_vector(op, "beta", beta, x);
  Shape channels{x.dim(0), x.dim(1)}, samples{x.dim(0), 1};
  for (int i = 2; i < x.rank(); ++i) {
    channels = channels.concat({1});
    samples = samples.concat({1});
  }
  // The square root; the small constant makes the gradient 0, not NaN, for a channel of zeros.
  const Tensor response = exp(log(sum_to(x * x, channels) + 1e-30) * 0.5);
  const Tensor mean = sum_to(response, samples) / static_cast<double>(x.dim(1));
  const Tensor share = response / (mean + eps);
  return x * (per_channel(gamma, x) * share + 1.0) + per_channel(beta, x);
}

Tensor layer_scale(const Tensor& x, const Tensor& gamma) {
  require_channels("layer_scale", x.type());
  require_vector("layer_scale", "gamma", gamma, x);
  return x * per_channel(gamma, x);
}

}  // namespace fovea
