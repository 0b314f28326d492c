#pragma once

#include <string>
#include <utility>

#include "fovea/core/arguments.h"

// Choices that several model families share. A model lists the ones it has in its entry, each with
// its default: `.choices = {dropout(0.2), stem("cifar")}`. A choice of a single model is an
// Argument beside that model.
namespace fovea::models {

inline Argument dropout(double default_value) {
  return {.name = "dropout",
          .default_value = default_value,
          .maximum = 1,
          .open_maximum = true,
          .help = "probability that dropout sets a value to 0 in training"};
}

/// Stochastic depth. The default is that of the last block; blocks before it are dropped less
/// often.
inline Argument drop_path(double default_value) {
  return {.name = "drop_path",
          .default_value = default_value,
          .maximum = 1,
          .open_maximum = true,
          .help = "probability that training leaves out the last block"};
}

/// The factor of all channel counts, applied before they are rounded (see round_channels).
inline Argument width() {
  return {.name = "width",
          .default_value = 1.0,
          .maximum = 100,
          .open_minimum = true,
          .open_maximum = true,
          .help = "factor of all channel counts"};
}

/// Auxiliary heads: outputs "aux1", ... of a training graph, with losses of their own.
inline Argument aux() {
  return {.name = "aux",
          .type = ArgumentType::flag,
          .default_value = false,
          .help = "auxiliary heads, whose losses are added in training with weight 0.3"};
}

/// How the net begins: "imagenet" divides the size of the image by 4, "cifar" keeps it.
inline Argument stem(std::string default_value) {
  return {.name = "stem",
          .type = ArgumentType::word,
          .default_value = std::move(default_value),
          .words = {"imagenet", "cifar"},
          .help = "how the net begins: imagenet, or cifar for images of 32x32"};
}

}  // namespace fovea::models
