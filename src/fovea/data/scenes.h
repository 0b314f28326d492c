#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/boxes.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// Scenes made of another data set's gray pictures on black, such as Fashion-MNIST's: gray 64x64
/// images with 2 to 4 of them, at random places and scaled by 0.7 to 1.4, each over those before,
/// on a background of noise. Targets are masks whose first class is "background", or boxes around
/// what is visible of each picture. A scene is computed on demand and depends on (seed, index)
/// alone.
class Scenes : public Dataset {
 public:
  static constexpr int64_t side = 64;
  static constexpr int64_t most_objects = 4;
  enum class Kind : uint8_t { masks, boxes };  ///< of targets

  /// Errors: usage when `pictures` are not gray images u8 [H,W,1] of at most 45x45 with classes, or
  /// there are none.
  Scenes(std::shared_ptr<const Dataset> pictures, int64_t size, uint64_t seed,
         Kind kind = Kind::masks);

  int64_t size() const override { return size_; }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override;
  const Targets& targets() const override { return targets_; }
  /// The boxes of scene `i`, whatever its targets: around what is visible of each picture, the
  /// lowest first, but for those that others cover to more than three quarters.
  std::vector<ClassBox> boxes(int64_t i) const;

 private:
  struct Scene;
  Scene scene(int64_t i) const;
  static Array mask_of(const Scene& scene);
  static std::vector<ClassBox> boxes_of(const Scene& scene);

  std::shared_ptr<const Dataset> pictures_;
  int64_t size_;
  uint64_t seed_;
  Kind kind_;
  Targets targets_;
};

/// The options of data set "scenes": count.
std::vector<Argument> scene_options();

/// `count` scenes to train on, 40,000 by default, and 1,000 to test on, of the training and test
/// pictures of the data set of that name: with masks, and in `others` the same scenes with boxes.
/// Those of a smaller count are the first of a larger one. Errors: as open and Scenes.
DataSets open_scenes(std::string_view spec, const Arguments& options);

}  // namespace fovea::data
