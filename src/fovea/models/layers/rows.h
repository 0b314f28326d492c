#pragma once

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "fovea/models/layer_kinds.h"
#include "fovea/ops/window.h"

/// The rows of the table of layers, one file per group, and the helpers that they are written with.
namespace fovea::models::layers {

std::vector<LayerKind> merges();
std::vector<LayerKind> convolutions();
std::vector<LayerKind> norms();
std::vector<LayerKind> activations();
std::vector<LayerKind> pools();
std::vector<LayerKind> shapes();
std::vector<LayerKind> blocks();

constexpr double max_channels = 1e6, max_size = 65536;

/// An integer from 1 to `maximum`; required if there is no default.
Argument integer(std::string name, double maximum, ArgumentValue default_value = {});
/// A number from 0 to `maximum`.
Argument number(std::string name, double maximum, double default_value);
Argument flag(std::string name, bool default_value);
Argument word(std::string name, std::string default_value, std::vector<std::string> words);
/// Output channels or features: an integer, or "classes".
Argument channels(std::string name);
/// Input channels or features; by default those of the input's shape.
Argument inferred(std::string name);
/// A probability from 0 to 1, or "dropout".
Argument probability(std::string name, double default_value);
/// Integers from 1, one per axis; required.
Argument sizes(std::string name);
/// Integers from `minimum`, one per axis.
Argument sizes(std::string name, int64_t default_value, double minimum = 1);

/// The channels of an input. Errors: usage when it has none.
int64_t channels_of(const Shape& input);
/// The shape of an example's feature maps over `Axes` axes: [channels, size, ...].
template <int Axes>
Shape maps(int64_t channels, int64_t size = 8) {
  return Shape{channels}.concat(Shape(std::vector<int64_t>(Axes, size)));
}
inline Dims dims(const Arguments& a, std::string_view name) { return Dims(a.integers(name)); }

/// A layer whose constructor takes its scope and the tuple that `arguments` returns for the input's
/// shape and the arguments.
template <class M, class F>
LayerKind row(Choice choice, LayerExample example, const F& arguments) {
  return {.choice = std::move(choice),
          .example = std::move(example),
          .build = [arguments](const nn::Scope& s, const Shape& x,
                               const Arguments& a) -> std::unique_ptr<nn::Module> {
            return std::apply(
                [&](const auto&... values) { return std::make_unique<M>(s, values...); },
                arguments(x, a));
          }};
}

/// A layer whose constructor takes only its scope.
template <class M>
LayerKind row(Choice choice, LayerExample example) {
  return row<M>(std::move(choice), std::move(example),
                [](const Shape&, const Arguments&) { return std::tuple(); });
}

}  // namespace fovea::models::layers
