#pragma once

#include <functional>
#include <memory>

#include "fovea/graph/graph.h"
#include "fovea/kernels/kernel.h"

namespace fovea {

/// Whether parameters are expected to stay the same from run to run: in eval graphs without
/// updates.
bool weights_are_fixed(const Graph& graph);

/// What the kernels for a problem can take: see priced_layouts.
using LayoutOffers = std::function<std::vector<PricedLayouts>(const Problem&)>;

/// Gives every N, C, spatial value a layout, and inserts a `reorder` between ops that need
/// different ones. An op gets the cheapest of the layouts that its kernels offer, with the reorders
/// of its inputs. If they offer none, its LayoutRule decides: channelwise and broadcasting ops keep
/// their inputs' layout (so a net is one region of its layout, entered by the first convolution and
/// left before the first linear layer), except that a value that grows from plain ones gets that
/// which `preferred` returns; all other ops are plain. `threads`: of the problems.
std::shared_ptr<Graph> assign_layouts(const Graph& graph,
                                      const std::function<Layout(const Type&)>& preferred,
                                      const LayoutOffers& offers, int threads = 1);

}  // namespace fovea
