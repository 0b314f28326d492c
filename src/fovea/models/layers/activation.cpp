#include <fmt/format.h>

#include "fovea/models/layers/rows.h"
#include "fovea/nn.h"

namespace fovea::models::layers {
namespace {

/// One without arguments.
template <class M>
LayerKind plain(const std::string& name, std::string help) {
  return row<M>({.name = name, .help = std::move(help)}, {'"' + name + '"', {3, 8, 8}});
}

/// Softmax or LogSoftmax.
template <class M>
LayerKind over_axis(const std::string& name, std::string help) {
  return row<M>(
      {.name = name, .arguments = {integer("dim", 4, int64_t{1})}, .help = std::move(help)},
      {fmt::format("{{ type = \"{}\", dim = 1 }}", name), {3, 8, 8}},
      [](const Shape&, const Arguments& a) {
        return std::tuple(static_cast<int>(a.integer("dim")));
      });
}

}  // namespace

std::vector<LayerKind> activations() {
  return {
      plain<nn::ReLU>("ReLU", "max(x, 0)"),
      plain<nn::ReLU6>("ReLU6", "min(max(x, 0), 6)"),
      row<nn::LeakyReLU>(
          {.name = "LeakyReLU",
           .arguments = {number("negative_slope", 1e6, 0.01)},
           .help = "x where x >= 0, negative_slope * x elsewhere"},
          {R"({ type = "LeakyReLU", negative_slope = 0.1 })", {3, 8, 8}},
          [](const Shape&, const Arguments& a) { return std::tuple(a.number("negative_slope")); }),
      row<nn::PReLU>({.name = "PReLU",
                      .arguments = {integer("num_parameters", max_channels, int64_t{1}),
                                    number("init", 1e6, 0.25)},
                      .help = "LeakyReLU with one learned slope, or one per channel"},
                     {R"({ type = "PReLU", num_parameters = 3 })", {3, 8, 8}},
                     [](const Shape&, const Arguments& a) {
                       return std::tuple(a.integer("num_parameters"), a.number("init"));
                     }),
      row<nn::ELU>({.name = "ELU",
                    .arguments = {number("alpha", 1e6, 1)},
                    .help = "x where x >= 0, alpha * (exp(x) - 1) elsewhere"},
                   {R"({ type = "ELU", alpha = 0.5 })", {3, 8, 8}},
                   [](const Shape&, const Arguments& a) { return std::tuple(a.number("alpha")); }),
      plain<nn::GELU>("GELU", "x times the CDF of the standard normal distribution at x"),
      plain<nn::GELUTanh>("GELUTanh", "GELU in its tanh approximation"),
      plain<nn::SiLU>("SiLU", "x * sigmoid(x), also called swish"),
      plain<nn::Mish>("Mish", "x * tanh(softplus(x))"),
      plain<nn::Sigmoid>("Sigmoid", "1 / (1 + exp(-x))"),
      plain<nn::Tanh>("Tanh", "Hyperbolic tangent"),
      plain<nn::Hardsigmoid>("Hardsigmoid",
                             "Piecewise linear approximation of Sigmoid: relu6(x + 3) / 6"),
      plain<nn::Hardswish>("Hardswish", "Piecewise approximation of SiLU: x * relu6(x + 3) / 6"),
      over_axis<nn::Softmax>("Softmax",
                             "Probabilities along dim, which add up to 1; not for the last layer, "
                             "since the loss includes it"),
      over_axis<nn::LogSoftmax>("LogSoftmax", "Logarithm of Softmax"),
  };
}

}  // namespace fovea::models::layers
