#pragma once

#include <filesystem>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/data/clip.h"
#include "fovea/data/dataset.h"
#include "fovea/data/image_files.h"

namespace fovea::data {

/// A split of clips, of each of which several parts are samples, evenly spaced in it.
class ClipFiles : public Dataset {
 public:
  /// `targets` [N], a class for each file. Errors: usage when there are not as many, or `windows`
  /// is below 1.
  ClipFiles(std::shared_ptr<const ClipModality> modality, FileList files, Targets meaning,
            int64_t windows);

  int64_t size() const override { return std::ssize(files_.paths) * windows_; }
  /// Errors: as ClipModality::read.
  Sample sample(int64_t i) const override;
  bool has_stretches() const override { return true; }
  /// Anywhere in the file, whichever part of it the sample is.
  Array stretch(int64_t i, double place) const override {
    return modality_->read_stretch(path(i), place);
  }
  std::optional<Type> input() const override { return modality_->input(); }
  std::shared_ptr<const Modality> modality() const override { return modality_; }
  const Targets& targets() const override { return meaning_; }
  Array target(int64_t i) const override;
  /// Parts of one file stay together.
  int64_t group(int64_t i) const override { return windows_ == 1 ? i : i / windows_; }
  /// From the names of files and folders, and the sizes of the former.
  std::string stamp() const override;
  std::string name(int64_t i) const override;

 private:
  std::filesystem::path path(int64_t i) const;

  std::shared_ptr<const ClipModality> modality_;
  FileList files_;
  Targets meaning_;
  int64_t windows_;
};

/// The options of the data set clips:DIR: length, stride, size, channels, windows.
std::vector<Argument> clip_options();

/// Clips sorted into folders, one per class (see open_class_folders and ClipModality), or, if it is
/// no folder but the name of a data set of small gray pictures, the moving items of its pictures
/// (see MovingItems). Errors: as these; data when there are videos, with the command that makes
/// folders of them.
DataSets open_clips(const std::filesystem::path& place, const Arguments& options);

}  // namespace fovea::data
