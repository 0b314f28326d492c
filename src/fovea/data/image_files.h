#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/images/image.h"

namespace fovea::data {

/// A split of encoded images (see decode_any_image), decoded on demand as RGB, [H,W,3], of any
/// sizes: u16 if any of them has 16 bits, else u8. The beginning of each file whose name ends in
/// .png tells that. Images of 8 bits are converted to the same brightness in 16.
class EncodedImages : public Dataset {
 public:
  /// `targets` [N, ...], a row per image. Errors: usage when counts differ or targets do not match
  /// `meaning`.
  EncodedImages(int64_t size, Array targets, Targets meaning);

  int64_t size() const override { return size_; }
  /// Errors: data when the image is missing or cannot be decoded, or has 16 bits in a split of 8,
  /// naming it.
  Sample sample(int64_t i) const override { return scaled_sample(i, {}); }
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override;
  std::optional<Type> input() const override { return std::nullopt; }
  DType dtype() const override { return dtype_; }
  /// From up to 32 images, evenly spaced; those that cannot be decoded are skipped.
  std::optional<Type> typical_input() const override { return typical_; }
  const Targets& targets() const override { return meaning_; }
  Array target(int64_t i) const override;

 protected:
  /// Image `i`, decoded at a size that `minimum` allows.
  virtual AnyImage decoded(int64_t i, const MinimumSize& minimum) const = 0;
  /// The bytes at the beginning of image `i`'s file, up to the size of `out`: fewer if it is
  /// shorter or cannot be read.
  virtual size_t beginning(int64_t i, std::span<std::byte> out) const = 0;
  /// Finds the dtype and the typical size; for the constructors of derived classes, once they can
  /// decode.
  void examine();

 private:
  bool any_16_bits() const;

  int64_t size_;
  Array targets_;
  Targets meaning_;
  DType dtype_ = DType::u8;
  std::optional<Type> typical_;
};

/// Files and their targets, as found by a reader of folders or lists.
struct FileList {
  std::filesystem::path root;
  std::vector<std::string> paths;    ///< below root, or absolute
  Array targets;                     ///< [N, ...]
  std::vector<int64_t> groups = {};  ///< see Dataset::group; empty: each sample is its own
};

/// A split of image files.
class ImageFiles : public EncodedImages {
 public:
  /// Errors: usage when counts differ or targets do not match `meaning`.
  ImageFiles(FileList list, Targets meaning);

  int64_t group(int64_t i) const override;
  /// From the paths below the root and the file sizes.
  std::string stamp() const override;
  std::string name(int64_t i) const override { return path(i).string(); }

  std::filesystem::path path(int64_t i) const;

 protected:
  AnyImage decoded(int64_t i, const MinimumSize& minimum) const override;
  size_t beginning(int64_t i, std::span<std::byte> out) const override;

 private:
  FileList list_;
};

/// A stamp (see Dataset::stamp) of the paths below `root` and the sizes of these files.
std::string stamp_of(const std::filesystem::path& root, const std::vector<std::string>& paths);

/// Whether a name has a suffix of image files: .png, .jpg, .jpeg, .jpe, .jfif, .webp, in any case.
bool is_image_name(const std::filesystem::path& path);

/// A sample that cannot be read, and why.
struct BadSample {
  int64_t index;
  std::string name;  ///< see Dataset::name
  std::string message;
};

/// Whether samples are read from files one by one, so that each may be broken.
bool reads_files(const Dataset& dataset);

/// Reads every sample once, on all threads, and returns those that fail with a data error, in
/// order. A stop request ends it early with the samples found so far; `progress` is called now and
/// then with (done, total).
std::vector<BadSample> find_bad(
    const Dataset& dataset,
    const std::function<void(int64_t done, int64_t all)>& progress = nullptr,
    std::stop_token stop = {});

/// `dataset` without these samples; `dataset` itself if there are none.
std::shared_ptr<const Dataset> without(std::shared_ptr<const Dataset> dataset,
                                       const std::vector<BadSample>& bad);

}  // namespace fovea::data
