#pragma once

#include <memory>
#include <string>

#include "fovea/graph/graph.h"

namespace fovea {

/// The State array that holds a parameter's gradient: "grad:" followed by the parameter's name.
std::string gradient_name(std::string_view parameter);

/// The State array, f32 and a scalar, that GradientOptions::scale_loss reads.
inline constexpr std::string_view loss_scale_name = "loss_scale";

struct GradientOptions {
  /// Add to the gradients in the State, for batches larger than memory; else replace them.
  bool accumulate = false;
  /// Differentiate the loss times the State's "loss_scale", so that gradients of f16 values do not
  /// vanish, and divide the gradients of the parameters by it again, in f32: see optim::LossScaler.
  bool scale_loss = false;
};

/// Reverse-mode differentiation as a pass: the graph with, for each trainable State array p that
/// the scalar output `loss` depends on, an update of "grad:p" by d loss / d p. Visits the nodes in
/// reverse order; each op's `gradient` adds ops to the graph, and gradients of a value used several
/// times are added. Errors: usage when there is no such output or it is not a scalar of a float
/// type.
std::shared_ptr<Graph> autodiff(const Graph& graph, const std::string& loss,
                                const GradientOptions& options = {});

/// Gradients of the scalar `loss`, times `scale` if there is one, for each of `wrt`, as Tensors of
/// the same graph: no value where the loss does not depend on one. Each has its value's dtype, or
/// f32 for bf16 weights. For inspecting a model (Grad-CAM, receptive fields). Errors: usage when
/// loss is not a scalar.
Tensors gradients(const Tensor& loss, const Tensors& wrt, const Tensor& scale = {});

}  // namespace fovea
