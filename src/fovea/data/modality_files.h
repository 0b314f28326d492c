#pragma once

#include <memory>
#include <string>

#include "fovea/data/dataset.h"
#include "fovea/data/image_files.h"

namespace fovea::data {

/// A split of files that a modality reads, each when it is asked for.
class ModalityFiles : public Dataset {
 public:
  /// Errors: usage when there are not as many targets as files, or they do not match `meaning`.
  ModalityFiles(std::shared_ptr<const Modality> modality, FileList files, Targets meaning);

  int64_t size() const override { return std::ssize(files_.paths); }
  /// Errors: as Modality::read.
  Sample sample(int64_t i) const override;
  bool has_stretches() const override { return modality_->has_stretches(); }
  Array stretch(int64_t i, double place) const override {
    return modality_->read_stretch(path(i), place);
  }
  std::optional<Type> input() const override { return modality_->input(); }
  std::shared_ptr<const Modality> modality() const override { return modality_; }
  VoxelAxes voxel_axes(int64_t i) const override { return modality_->voxel_axes(path(i)); }
  const Targets& targets() const override { return meaning_; }
  Array target(int64_t i) const override;
  int64_t group(int64_t i) const override;
  /// From the paths below the root and the file sizes.
  std::string stamp() const override { return stamp_of(files_.root, files_.paths); }
  std::string name(int64_t i) const override { return path(i).string(); }

  std::filesystem::path path(int64_t i) const;

 private:
  std::shared_ptr<const Modality> modality_;
  FileList files_;
  Targets meaning_;
};

}  // namespace fovea::data
