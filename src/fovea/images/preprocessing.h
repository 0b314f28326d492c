#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/images/image.h"
#include "fovea/images/resize.h"

namespace fovea {

/// The smallest std that a Preprocessing may have.
constexpr double minimum_std = 1e-6;

/// The usual value of a letterbox's bars.
constexpr int letterbox_gray = 114;

/// How any picture becomes a network's input.
struct Preprocessing {
  int height = 0;    ///< of the network's input, pixels
  int width = 0;     ///< of the network's input, pixels
  int channels = 0;  ///< of the network's input; pictures can be prepared for 1 and 3
  /// The shorter side is scaled to this and the centre cropped; none: scaled directly to height x
  /// width, ignoring the aspect ratio.
  std::optional<int> resize;
  /// Instead of `resize`: scaled to fit into height x width, with bars of this value, 0 to 255.
  std::optional<int> letterbox = {};
  Filter filter = Filter::bilinear;
  /// One value per channel, for samples scaled to 0 to 1. The network's graph normalises with them;
  /// `prepare` does not.
  std::vector<double> mean;
  std::vector<double> std;

  bool operator==(const Preprocessing&) const = default;
};

/// What is wrong with `preprocessing` ("std[1] is 0, ..."), or "" if nothing is: sides and resize
/// from 1 to 16384, resize at least the larger side, not both resize and letterbox, as many means
/// and stds as channels, finite and at most 1e6, std at least minimum_std.
std::string problem(const Preprocessing& preprocessing);

/// The size below which a picture must not be decoded for `prepare`.
MinimumSize minimum_size_for(const Preprocessing& preprocessing);

/// `image` as the network expects it: converted to gray or RGB, resized, cropped to exactly height
/// x width x channels. Errors: usage when the preprocessing has a problem or its channels are not 1
/// or 3; data when a picture is so narrow that its longer side would exceed 2^31.
template <class Sample>
BasicImage<Sample> prepare(const BasicImage<Sample>& image, const Preprocessing& preprocessing);

/// A rectangle in the pixels of a picture, which may be fractions and lie partly outside.
struct PictureArea {
  double top = 0, left = 0, height = 0, width = 0;
};

/// The part of a picture of this size that becomes the network's input in `prepare`: less than the
/// picture after a crop, more with a letterbox. Errors: as prepare.
PictureArea prepared_area(int height, int width, const Preprocessing& preprocessing);

/// Which part of a picture became a network's input.
struct InputPlace {
  PictureArea area;           ///< in the pixels of the picture
  int height = 0, width = 0;  ///< of the input
  int picture_height = 0, picture_width = 0;

  /// A column and a row of the input, which may be fractions, as those of the picture; outside of
  /// it its border.
  double picture_x(double x) const;
  double picture_y(double y) const;
};

/// That of an input which is the picture itself.
InputPlace whole_place(int height, int width);

/// The place of the input that `prepare` makes of a picture of this size. Errors: as prepare.
InputPlace prepared_place(int height, int width, const Preprocessing& preprocessing);

}  // namespace fovea
