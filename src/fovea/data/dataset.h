#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/array.h"

namespace fovea::data {

/// Labelled images of one size: one split of a data set. All functions are pure and may be called
/// from any number of threads at once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// Number of samples.
  virtual int64_t size() const = 0;
  virtual int64_t height() const = 0;
  virtual int64_t width() const = 0;
  virtual int64_t channels() const = 0;
  /// The class of sample `i`, an index into class_names().
  virtual int64_t label(int64_t i) const = 0;
  /// Writes the pixels of sample `i`, u8[H,W,C], to `out`, which has image_bytes() elements.
  virtual void image(int64_t i, std::span<uint8_t> out) const = 0;
  /// Every class, also those without a sample in this split.
  virtual const std::vector<std::string>& class_names() const = 0;

  /// Bytes of memory that hold the samples; 0 where they are made or read when asked for.
  virtual int64_t held_bytes() const { return 0; }

  /// height * width * channels.
  int64_t image_bytes() const { return height() * width() * channels(); }
};

/// A split that is held in memory.
class ArrayDataset : public Dataset {
 public:
  /// `images` u8[N,H,W,C], `labels` i64[N]; both are shared, not copied. Errors: usage when dtypes,
  /// ranks or counts differ from that, or when a label has no class name.
  ArrayDataset(Array images, Array labels, std::vector<std::string> class_names);

  int64_t size() const override { return images_.dim(0); }
  int64_t height() const override { return images_.dim(1); }
  int64_t width() const override { return images_.dim(2); }
  int64_t channels() const override { return images_.dim(3); }
  int64_t label(int64_t i) const override {
    return labels_.data<int64_t>()[static_cast<size_t>(i)];
  }
  void image(int64_t i, std::span<uint8_t> out) const override;
  const std::vector<std::string>& class_names() const override { return class_names_; }
  int64_t held_bytes() const override {
    return static_cast<int64_t>(images_.bytes() + labels_.bytes());
  }

 private:
  Array images_;
  Array labels_;
  std::vector<std::string> class_names_;
};

/// Some samples of another split, in the order of a list of indices; an index may come twice.
class Subset : public Dataset {
 public:
  /// Errors: usage when an index is not in [0, whole->size()).
  Subset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices);

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  int64_t height() const override { return whole_->height(); }
  int64_t width() const override { return whole_->width(); }
  int64_t channels() const override { return whole_->channels(); }
  int64_t label(int64_t i) const override { return whole_->label(at(i)); }
  void image(int64_t i, std::span<uint8_t> out) const override { whole_->image(at(i), out); }
  const std::vector<std::string>& class_names() const override { return whole_->class_names(); }
  int64_t held_bytes() const override { return whole_->held_bytes(); }

 private:
  int64_t at(int64_t i) const { return indices_[static_cast<size_t>(i)]; }

  std::shared_ptr<const Dataset> whole_;
  std::vector<int64_t> indices_;
};

/// A named data set: what is trained on, and what is only measured on.
struct DataSets {
  std::string name;  ///< as the registry knows it: "fashion-mnist"
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  std::vector<std::string> classes;
};

/// What split_validation gives: two views that together hold every sample once.
struct ValidationSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> val;
};

/// Takes round(share * size) samples, chosen by `seed`, out of `whole` for validation; both parts
/// keep the order of `whole`. Share 0 gives an empty `val`; otherwise each part has at least one
/// sample (when `whole` has two). Errors: usage when share is not in [0, 1).
ValidationSplit split_validation(std::shared_ptr<const Dataset> whole, double share, uint64_t seed);

/// The numbers 0 to n-1 in an order drawn from Random(seed, purpose, index).
std::vector<int64_t> permutation(int64_t n, uint64_t seed, std::string_view purpose,
                                 uint64_t index = 0);

/// 16 hex digits over the sizes, labels and pixels of a split, in order: equal for equal data on
/// every machine, whatever file it came from.
std::string fingerprint(const Dataset& dataset);

/// Mean and standard deviation of each channel, of pixel values scaled to 0..1.
struct ChannelStats {
  std::vector<double> mean;
  std::vector<double> std;
};

/// Over all pixels of a split (the population's deviation); exact, so equal for any number of
/// threads. Errors: usage when the split is empty.
ChannelStats channel_stats(const Dataset& dataset);

}  // namespace fovea::data
