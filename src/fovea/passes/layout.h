#pragma once

#include <functional>
#include <memory>

#include "fovea/graph/graph.h"

namespace fovea {

/// Gives every N, C, spatial value the layout in which this machine works fastest on it, and puts a
/// `reorder` between ops that want different ones. Convolutions ask for what `preferred` says of
/// the images before and behind them, or channels-last for both where that differs; channelwise ops
/// keep what they are given, as do those that broadcast (so a net is one island of its layout,
/// entered by the first convolution and left before the first linear layer); all other ops are
/// plain.
std::shared_ptr<Graph> assign_layouts(const Graph& graph,
                                      const std::function<Layout(const Type&)>& preferred);

}  // namespace fovea
