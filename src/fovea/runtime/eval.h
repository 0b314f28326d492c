#pragma once

#include <functional>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Traces f on arrays, compiles it, runs it and returns copies of the results: for tests, filters
/// and experiments.
///     Array y = eval([](const Tensors& t) { return Tensors{relu(t[0])}; }, {x})[0];
std::vector<Array> eval(const std::function<Tensors(const Tensors&)>& f,
                        const std::vector<Array>& arrays);

}  // namespace fovea
