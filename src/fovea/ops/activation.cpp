#include "fovea/ops/activation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

double logistic(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); }
double normal_integral(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double normal_density(double x) {
  return std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : x * 0; }  // NaN propagates

constexpr double gelu_scale = 0.79788456080286535588;  // sqrt(2 / pi)
// (1 + tanh(u)) / 2 is logistic(2u), which keeps its digits where tanh(u) is near -1.
double gelu_share(double x) { return logistic(2 * gelu_scale * (x + 0.044715 * x * x * x)); }

// In the order of UnaryKind. Comparisons are written so that NaN propagates.
constexpr std::array<UnaryRule, unary_kinds> rules{{
    {"relu", "", [](double x, double) { return x <= 0 ? 0 : x; },
     [](double x, double) { return x <= 0 ? 0.0 : 1.0; }},
    {"leaky_relu", "slope", [](double x, double a) { return x > 0 ? x : a * x; },
     [](double x, double a) { return x > 0 ? 1.0 : a; }},
    {"relu6", "", [](double x, double) { return std::clamp(x, 0.0, 6.0); },
     [](double x, double) { return x <= 0 || x >= 6 ? 0.0 : 1.0; }},
    {"elu", "alpha", [](double x, double a) { return x > 0 ? x : a * std::expm1(x); },
     [](double x, double a) { return x > 0 ? 1 : a * std::exp(x); }},
    {"gelu", "", [](double x, double) { return x * normal_integral(x); },
     [](double x, double) { return normal_integral(x) + x * normal_density(x); }},
    {"gelu_tanh", "", [](double x, double) { return x * gelu_share(x); },
     [](double x, double) {
       const double s = gelu_share(x);
       return s + x * 2 * s * (1 - s) * gelu_scale * (1 + 3 * 0.044715 * x * x);
     }},
    {"silu", "", [](double x, double) { return x * logistic(x); },
     [](double x, double) {
       const double s = logistic(x);
       return s * (1 + x * (1 - s));
     }},
    {"sigmoid", "", [](double x, double) { return logistic(x); },
     [](double x, double) { return logistic(x) * logistic(-x); }},
    {"tanh", "", [](double x, double) { return std::tanh(x); },
     [](double x, double) { return 4 * logistic(2 * x) * logistic(-2 * x); }},
    {"mish", "", [](double x, double) { return x * std::tanh(softplus(x)); },
     [](double x, double) {
       const double t = std::tanh(softplus(x));
       return t + x * (1 - t * t) * logistic(x);
     }},
    {"hardsigmoid", "", [](double x, double) { return std::clamp((x + 3) / 6, 0.0, 1.0); },
     [](double x, double) { return x <= -3 || x >= 3 ? 0.0 : 1.0 / 6; }},
    {"hardswish", "", [](double x, double) { return x * std::clamp((x + 3) / 6, 0.0, 1.0); },
     [](double x, double) {
       if (x <= -3) return 0.0;
       return x >= 3 ? 1 : x / 3 + 0.5;
     }},
    {"exp", "", [](double x, double) { return std::exp(x); },
     [](double x, double) { return std::exp(x); }},
    {"log", "", [](double x, double) { return std::log(x); },
     [](double x, double) { return 1 / x; }},
    {"sqrt", "", [](double x, double) { return std::sqrt(x); },
     [](double x, double) { return 0.5 / std::sqrt(x); }},
    {"abs", "", [](double x, double) { return std::abs(x); },
     [](double x, double) { return sign_of(x); }},
    {"sign", "", [](double x, double) { return sign_of(x); }, [](double, double) { return 0.0; }},
    {"pow", "base", [](double x, double base) { return std::pow(base, x); },
     [](double x, double base) { return std::log(base) * std::pow(base, x); }},
}};

Tensor apply(UnaryKind kind, const Tensor& x, double alpha = 0) {
  return x.graph().add_one(Unary{kind, alpha}, {x});
}

}  // namespace

std::span<const std::string_view> enum_names(UnaryKind) {
  static const auto names = [] {
    std::array<std::string_view, unary_kinds> all;
    for (size_t i = 0; i < all.size(); ++i) all[i] = rules[i].name;
    return all;
  }();
  return names;
}

const UnaryRule& unary_rule(UnaryKind kind) { return rules[static_cast<size_t>(kind)]; }

bool Unary::keeps_wide(size_t) const {
  return kind == UnaryKind::exp || kind == UnaryKind::log || kind == UnaryKind::pow;
}

Types Unary::infer(const Types& in) const {
  require_inputs(name(), in, 1);
  require_float(name(), "input", in[0]);
  return like(in, 0);
}

Tensors Unary::gradient(const Node& node, const Tensors& dy) const {
  return node.graph->add(UnaryBackward{kind, alpha}, {node.input(0), dy[0]});
}

void Unary::reference(const Views& v) const {
  const UnaryRule& rule = unary_rule(kind);
  for (int64_t i = 0; i < v.in[0].numel(); ++i) v.out[0][i] = rule.f(v.in[0][i], alpha);
}

std::string_view UnaryBackward::name() const {
  static const auto names = [] {
    std::array<std::string, unary_kinds> all;
    for (size_t i = 0; i < all.size(); ++i) all[i] = std::string(rules[i].name) + "_backward";
    return all;
  }();
  return names[static_cast<size_t>(kind)];
}

Types UnaryBackward::infer(const Types& in) const {
  require_inputs(name(), in, 2);
  return like(in, 0);
}

void UnaryBackward::reference(const Views& v) const {
  const UnaryRule& rule = unary_rule(kind);
  const View &x = v.in[0], &dy = v.in[1];
  for (int64_t i = 0; i < x.numel(); ++i) v.out[0][i] = dy[i] * rule.df(x[i], alpha);
}

Tensor relu(const Tensor& x) { return apply(UnaryKind::relu, x); }
Tensor leaky_relu(const Tensor& x, double slope) { return apply(UnaryKind::leaky_relu, x, slope); }
Tensor relu6(const Tensor& x) { return apply(UnaryKind::relu6, x); }
Tensor elu(const Tensor& x, double alpha) { return apply(UnaryKind::elu, x, alpha); }
Tensor gelu(const Tensor& x) { return apply(UnaryKind::gelu, x); }
Tensor gelu_tanh(const Tensor& x) { return apply(UnaryKind::gelu_tanh, x); }
Tensor silu(const Tensor& x) { return apply(UnaryKind::silu, x); }
Tensor sigmoid(const Tensor& x) { return apply(UnaryKind::sigmoid, x); }
Tensor tanh(const Tensor& x) { return apply(UnaryKind::tanh, x); }
Tensor mish(const Tensor& x) { return apply(UnaryKind::mish, x); }
Tensor hardsigmoid(const Tensor& x) { return apply(UnaryKind::hardsigmoid, x); }
Tensor hardswish(const Tensor& x) { return apply(UnaryKind::hardswish, x); }
Tensor exp(const Tensor& x) { return apply(UnaryKind::exp, x); }
Tensor log(const Tensor& x) { return apply(UnaryKind::log, x); }
Tensor sqrt(const Tensor& x) { return apply(UnaryKind::sqrt, x); }
Tensor abs(const Tensor& x) { return apply(UnaryKind::abs, x); }
Tensor sign(const Tensor& x) { return apply(UnaryKind::sign, x); }

Tensor pow(double base, const Tensor& x) {
  if (!(base > 0)) {
    throw Error(ErrorKind::usage,
                fmt::format("pow: the base is {}, not above 0", format_number(base)))
        .with("exponent", to_string(x.type()));
  }
  return apply(UnaryKind::pow, x, base);
}

Tensor prelu(const Tensor& x, const Tensor& slope) {
  require_float("prelu", "input", x.type());
  const int64_t channels = x.rank() < 2 || slope.shape() == Shape{1} ? 1 : x.dim(1);
  require_type("prelu", "slope", slope.type(), {accumulate_dtype(x.dtype()), {channels}}, x.type());
  const Tensor factor = channels == 1 ? cast(slope, x.dtype()) : per_channel(slope, x);
  return relu(x) - factor * relu(-x);
}

}  // namespace fovea
