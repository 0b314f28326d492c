#pragma once

#include <string>
#include <string_view>

#include "fovea/draw/grid.h"
#include "fovea/nn/module.h"

namespace fovea::explain {

/// The weights of one convolution, to be drawn.
struct Filters {
  std::string layer;
  /// f32 [O, C, H, W]; C = 3 for filters of colours; else 1: their only input, or the mean over
  /// their inputs. Of a 1-d convolution H is 1; of a 3-d one H holds the slices below each other.
  Array values;
  int64_t inputs = 0;  ///< of each filter, before the mean
};

/// The filters of the convolution `layer` of a model for inputs of this shape (C, spatial); "": its
/// first. Errors: usage when the model has no convolution, or `layer` is not one of them, which are
/// listed.
Filters filters(const nn::Module& model, State& state, const Shape& input,
                std::string_view layer = {});

struct FiltersStyle {
  bool scale_each = false;    ///< each filter has its own range of values, instead of one for all
  std::string colormap = {};  ///< "": gray for one input, viridis for a mean over inputs
};

/// A grid of all filters, in order, each as a tile; eight in a row up to 256 filters, more beyond.
/// Filters of colours are drawn in colours, values from the range's lowest to its highest.
Image filters_picture(const Filters& filters, const FiltersStyle& style = {});

}  // namespace fovea::explain
