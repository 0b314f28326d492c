#pragma once

#include <functional>

#include "fovea/predict/inference.h"
#include "fovea/train/setup.h"

namespace fovea::train {

/// Fills the parameters of `model` whose initial values depend on data (nn::DataInitializer). Those
/// of a module get its inputs, in eval mode, for the first samples; each parameter sees those
/// before it filled. `inputs(n)` returns the first n samples, or all if there are fewer: u8 [n, H,
/// W, C], which `normalization` applies to, or float [n, C, spatial...]; it is not called for a
/// model without such parameters. Returns their names. Errors: usage when a module is never called.
///
///     nn::declare(state, model, seed);
///     train::initialize_from_data(model, state, normalization, [&](int64_t n) { ... });
std::vector<std::string> initialize_from_data(const nn::Module& model, State& state,
                                              const Normalization& normalization,
                                              const std::function<Array(int64_t n)>& inputs);

/// Fills the arrays of a run as it begins: with the initial weights of the setup, which are used
/// up, or else by seed and data. Returns the arrays of the head that the weights did not hold.
/// Errors: as `initialize` of InitialWeights and initialize_from_data.
std::vector<std::string> initialize_run(Setup& setup, State& state);

}  // namespace fovea::train
