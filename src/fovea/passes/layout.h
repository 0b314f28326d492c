#pragma once

#include <functional>
#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Gives every N, C, spatial value its fastest layout on this machine, and
/// inserts a `reorder` between ops that need different ones. Convolutions use
/// what `preferred` returns for their input and output, or channels-last for
/// both if that differs; channelwise and broadcasting ops keep their inputs'
/// layout (so a net is one region of its layout, entered by the first
/// convolution and left before the first linear layer); all other ops are plain.
std::shared_ptr<Graph> assign_layouts(const Graph& graph,
                                      const std::function<Layout(const Type&)>& preferred);

}  // namespace fovea
