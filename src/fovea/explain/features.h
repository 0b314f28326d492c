#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fovea/draw/grid.h"
#include "fovea/predict/predictor.h"

namespace fovea::explain {

/// What a layer computed for one image.
struct FeatureMaps {
  std::string layer;  ///< as in passes/tap.h: "layer1.0.conv1"
  Array values;       ///< f32, without the batch axis: [C, H, W], or [C] after a linear layer

  std::string shape_text() const;  ///< "64x28x28"
};

/// The outputs of the layers that `layers` names, paths or globs separated by commas, for `input`,
/// one sample as the net takes it; "": of up to eight convolutions, evenly chosen from first to
/// last, or of all layers in a net without any. Copies: nothing that runs later changes them, and
/// the model stays as it is. Errors: usage when no layer matches, listing all.
std::vector<FeatureMaps> features(Predictor& predictor, const Array& input,
                                  std::string_view layers = {});

/// Values of any rank as maps [C, H, W]: a vector is folded into one about square map, its end
/// filled with NaN; volumes become slices below each other.
Array as_maps(const Array& values);

/// The channels of [C, H, W] by their mean absolute value, largest first.
std::vector<int64_t> strongest_channels(const Array& maps);

struct FeaturesStyle {
  int64_t channels = 64;             ///< at most so many are drawn, the strongest ones
  bool by_strength = false;          ///< strongest first, instead of in the order of channels
  std::string colormap = "viridis";  ///< each channel has its own range of values
};

/// A grid of a layer's channels, captioned by their numbers.
Image features_picture(const FeatureMaps& maps, const FeaturesStyle& style = {});

/// The image and, for each layer, the mean over its channels.
Image features_overview(const Image& picture, const std::vector<FeatureMaps>& layers,
                        const std::string& colormap = "viridis");

}  // namespace fovea::explain
