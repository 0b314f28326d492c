#pragma once

#include <functional>
#include <memory>

#include "fovea/nn/module.h"

namespace fovea::nn {

/// The graph of a model, or of a part of one, for an input of this shape (N, C, spatial) in the
/// graph's dtype: its input is named "input", its output "output". Errors: usage when the model
/// cannot take the shape, naming the layer.
std::shared_ptr<Graph> trace(const Module& model, const Shape& input, Mode mode = Mode::eval,
                             DType dtype = DType::f32);

/// The shape of the output of `part`, a piece of `model`, for one image (shape C, spatial), without
/// the batch axis. Only types are traced: a constructor uses it to size layers that follow those
/// already constructed. Errors: as trace.
Shape traced_shape(const Module& model, const Shape& image,
                   const std::function<Tensor(Tensor)>& part);

}  // namespace fovea::nn
