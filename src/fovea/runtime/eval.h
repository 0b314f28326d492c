#pragma once

#include <functional>
#include <vector>

#include "fovea/graph/graph.h"

namespace fovea {

/// Traces f on arrays, compiles, runs and gives copies of the results: for tests, filters and
/// trying things out.
///     Array y = eval([](const Tensors& t) { return Tensors{relu(t[0])}; }, {x})[0];
std::vector<Array> eval(const std::function<Tensors(const Tensors&)>& f,
                        const std::vector<Array>& arrays);

}  // namespace fovea
