#pragma once

#include "fovea/models/registry.h"
#include "fovea/nn/conv.h"
#include "fovea/nn/norm.h"

/// What nets for series share. A batch of series of different lengths is padded to one length;
/// with the choice `masked` the last channel of its inputs [N, C + 1, L] is then 1 where a series
/// is and 0 where it is padded. Such a net gives each series what it gives for it alone, at its own
/// length: convolutions and pools see the padding as their own zeros and borders, norms and global
/// means leave it out. All values inside are 0 in the padding.
namespace fovea::models {

/// The choice: set by training where the data are padded.
Argument masked();

/// Channels of the series themselves. Errors: usage when a masked net has no channel besides the
/// mask.
int64_t series_channels(const Config& config);

/// A series in a net [N, C, L] and the mask of its own positions [N, 1, L], which has no value
/// where nothing is padded.
struct Series {
  Tensor x, mask;

  /// A net's input: its last channel is the mask if it is `masked`.
  Series(const Tensor& input, bool masked);

  /// y, a value of that length, with zeros in the padding.
  Tensor kept(const Tensor& y) const;
  /// The mean of y over the positions of each series, [N, C].
  Tensor mean(const Tensor& y) const;
};

/// A convolution of stride 1 that keeps the length, and a batch norm.
class SeriesConvNorm : public nn::Module {
 public:
  using Module::forward;  // overloaded, not hidden
  SeriesConvNorm(const nn::Scope& s, int64_t in, int64_t out, int64_t kernel, bool bias = true);
  Tensor forward(const Tensor& x, const Tensor& mask) const;

 private:
  nn::Conv1d conv;
  nn::BatchNorm1d bn;
};

}  // namespace fovea::models
