#pragma once

#include <memory>
#include <string_view>

#include "fovea/data/clip.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// Clips made of another data set's small gray pictures, such as Fashion-MNIST's: gray frames of
/// noise over which one picture moves, scaled by 0.4 to 0.7, from a random place in one of eight
/// directions, which is the class, by 1 to 2.5 pixels per frame; what leaves the frame on one side
/// enters it on the other. Single frames do not tell the direction. A clip is computed on demand
/// and depends on (seed, index) alone.
class MovingItems : public Dataset {
 public:
  /// Errors: usage when `pictures` are not gray images u8 [H,W,1], there are none, or frames are
  /// not gray or smaller than 24x24.
  MovingItems(std::shared_ptr<const Dataset> pictures, int64_t size, uint64_t seed,
              const ClipOptions& clip);

  int64_t size() const override { return size_; }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override { return modality_->input(); }
  std::shared_ptr<const Modality> modality() const override { return modality_; }
  const Targets& targets() const override { return targets_; }
  Array target(int64_t i) const override;
  std::string stamp() const override;

 private:
  std::shared_ptr<const Dataset> pictures_;
  int64_t size_;
  uint64_t seed_;
  ClipOptions clip_;
  std::shared_ptr<const ClipModality> modality_;
  Targets targets_;
};

/// 4,000 clips to train on and 1,000 to test on, of the training and test pictures of the data set
/// of that name. Errors: as open and MovingItems.
DataSets open_moving_items(std::string_view spec, const ClipOptions& clip);

}  // namespace fovea::data
