#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "fovea/images/codec.h"
#include "paths.h"

namespace fovea {

/// Compares a picture with tests/golden/pictures/NAME.png: sizes must be equal, and samples up to
/// the rounding of float computations. scripts/golden/pictures.sh stores all of them anew.
inline void expect_picture(const std::string& name, const Image& picture) {
  constexpr int rounding = 3;
  const std::filesystem::path path = tests_folder() + "/golden/pictures/" + name + ".png";
  if (std::getenv("FOVEA_STORE_PICTURES") != nullptr) encode_png(path, picture);
  const Image stored = decode_image(path);
  ASSERT_EQ(stored.height, picture.height) << path;
  ASSERT_EQ(stored.width, picture.width) << path;
  ASSERT_EQ(stored.channels, picture.channels) << path;
  size_t different = 0;
  for (size_t i = 0; i < stored.pixels.size(); ++i)
    different += std::abs(stored.pixels[i] - picture.pixels[i]) > rounding ? 1 : 0;
  EXPECT_EQ(different, 0U) << "samples of " << path << " differ";
}

}  // namespace fovea
