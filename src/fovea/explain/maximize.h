#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/explain/explainer.h"

namespace fovea::explain {

/// What is to become large: one output of the model, or one channel of a layer.
struct Goal {
  std::string layer = {};  ///< see find_layer; "": the output, of which `channel` is a class
  int64_t channel = 0;
};

/// The longest axis that is searched among waves.
constexpr int64_t longest_waves = 1024;

struct MaximizeOptions {
  int64_t steps = 256;
  double rate = 0.05;   ///< of Adam
  bool fourier = true;  ///< search in frequencies, low ones first, instead of in pixels
  /// The input is moved by up to this many positions along each axis at each step; a 28th of the
  /// longest side, but no more than a quarter of an axis.
  std::optional<int64_t> jitter = {};
  /// Deviation in positions at the first step, none at the last; a 112th of the longest side.
  std::optional<double> blur = {};
  uint64_t seed = 0;
};

/// An input that a channel or class likes.
struct Maximized {
  Array image;        ///< f32 [C, spatial...] of 0 to 1, such as colours
  double before = 0;  ///< the goal for the noise that the search began with
  double after = 0;   ///< and for what was found
};

/// Activation maximisation (Erhan et al. 2009; Olah et al. 2017, "Feature Visualization"), one
/// input for each goal, all of one layer, for inputs of this shape (C, and 1 to 3 spatial axes):
/// Adam's ascent of the output, or of the channel's mean over positions, from noise, through a
/// small random shift and blur at each step. In the Fourier basis the input is made of waves whose
/// amplitudes count as much as their lengths, so that no frequency is preferred; along axes longer
/// than longest_waves, such as the time of sounds, it is made of single positions, without blur.
/// Values are between 0 and 1, black and white; `normalization` is how the model sees them (without
/// a mean: -2 to 2; masked: the last channel is 1, nothing is padded). Depends on the seed only.
/// Errors: usage when the inputs have no spatial axes, or there is no such layer, channel or class.
std::vector<Maximized> maximize(Explainer& explainer, const std::vector<Goal>& goals,
                                const Shape& input, const Normalization& normalization,
                                const MaximizeOptions& options = {},
                                const std::function<void(int64_t step)>& progress = nullptr);

/// A sample that excites a goal.
struct Exciting {
  int64_t sample = 0;
  double value = 0;
};

/// For each goal, all of one layer, the samples of a data set with its largest values, the largest
/// first: of outputs, or of a channel's largest position. Inputs must be as the model takes them
/// (see data::prepared). Memory does not depend on the number of samples.
std::vector<std::vector<Exciting>> most_exciting(
    Explainer& explainer, const std::vector<Goal>& goals, const data::Dataset& samples,
    int64_t count, const std::function<void(int64_t done)>& progress = nullptr);

/// Samples [first, first + count) of a data set as one batch, as the model sees them: f32.
Array batch_of(Explainer& explainer, const data::Dataset& samples, int64_t first, int64_t count);

}  // namespace fovea::explain
