#include "fovea/optim/muon.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/optim/builtin.h"

namespace fovea::optim {
namespace {

int64_t rows(const Type& t) { return t.shape[0]; }
int64_t columns(const Type& t) { return t.shape.numel() / std::max<int64_t>(1, rows(t)); }

class Muon final : public Optimizer {
 public:
  explicit Muon(const MuonOptions& options)
      : Optimizer({options.weight_decay}), options_(options) {}

  std::vector<Moment> moments(const Type& parameter) const override {
    if (parameter.rank() < 2) {
      throw Error(
          ErrorKind::usage,
          "muon updates matrices and convolution filters, not arrays of fewer than two axes")
          .with("try", "--group vectors:optimizer=nesterov,lr=X for biases and norms");
    }
    return {{"momentum", parameter}};
  }

  void step(ParameterStep& p) const override {
    const double mu = options_.momentum;
    Tensor& b = p["momentum"];
    b = mu * b + (1 - mu) * p.gradient;
    const Tensor g = options_.nesterov ? (1 - mu) * p.gradient + mu * b : b;

    const Type type = p.parameter.type();
    const auto height = static_cast<double>(rows(type)), width = static_cast<double>(columns(type));
    const Tensor update = orthogonalized(p, g);
    Tensor kept = 1 - p.lr64 * p.weight_decay;
    if (options_.rescale) kept = std::sqrt(height) * kept / norm(p.parameter);
    const Tensor rate = p.as_parameter(p.lr64 * std::sqrt(std::max(1.0, height / width)));
    p.parameter = p.as_parameter(kept) * p.parameter - rate * update;
  }

 private:
  /// Never 0, so that it can divide.
  static Tensor norm(const Tensor& x) { return maximum(sqrt(sum_of_squares(x)), 1e-7); }

  /// The matrix of g with its singular values brought close to 1, in g's shape. The products X X'
  /// are of the smaller side.
  Tensor orthogonalized(const ParameterStep& p, const Tensor& g) const {
    const int64_t height = rows(g.type()), width = columns(g.type());
    const bool tall = height > width;
    Tensor x = reshape(g, {height, width}) / p.as_parameter(norm(g));
    for (int64_t i = 0; i < options_.steps; ++i) {
      const Tensor gram =
          g.graph().add_one(MatMul{.transpose_a = tall, .transpose_b = !tall}, {x, x});
      const Tensor polynomial = options_.b * gram + options_.c * matmul(gram, gram);
      x = options_.a * x + (tall ? matmul(x, polynomial) : matmul(polynomial, x));
    }
    return reshape(x, g.shape());
  }

  MuonOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> muon(const MuonOptions& options) {
  return std::make_unique<Muon>(options);
}

Entry muon_entry() {
  const auto coefficient = [](const char* name, double value) {
    return Argument{.name = name,
                    .default_value = value,
                    .minimum = -100,
                    .maximum = 100,
                    .help = "coefficient of the Newton-Schulz iteration"};
  };
  return {.choice = {.name = "muon",
                     .arguments = {{.name = "momentum",
                                    .default_value = 0.95,
                                    .maximum = 1,
                                    .open_maximum = true,
                                    .help = "decay of the running mean of gradients"},
                                   {.name = "steps",
                                    .type = ArgumentType::integer,
                                    .default_value = int64_t{5},
                                    .minimum = 1,
                                    .maximum = 100,
                                    .help = "Newton-Schulz iterations"},
                                   {.name = "rescale",
                                    .type = ArgumentType::flag,
                                    .default_value = false,
                                    .help = "first scales each matrix to the norm sqrt(rows)"},
                                   {.name = "nesterov",
                                    .type = ArgumentType::flag,
                                    .default_value = true,
                                    .help = "Nesterov momentum"},
                                   coefficient("a", 3.4445),
                                   coefficient("b", -4.7750),
                                   coefficient("c", 2.0315)},
                     .help = "orthogonalised momentum, for matrices and convolution filters only"},
          .make = [](const Arguments& a, const WeightDecay& decay) {
            return muon({.momentum = a.number("momentum"),
                         .nesterov = a.flag("nesterov"),
                         .steps = a.integer("steps"),
                         .a = a.number("a"),
                         .b = a.number("b"),
                         .c = a.number("c"),
                         .rescale = a.flag("rescale"),
                         .weight_decay = decay.amount});
          }};
}

}  // namespace fovea::optim
