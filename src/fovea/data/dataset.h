#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/modality.h"
#include "fovea/data/sample.h"
#include "fovea/images/preprocessing.h"

namespace fovea::data {

/// What a sample with boxes was made of: COCO measures boxes in the picture, whatever size a net
/// sees it at.
struct BoxedPicture {
  /// Of the objects in the target's boxes, in order, in pixels of the picture; empty: the boxes'
  /// own.
  std::vector<double> areas = {};
  InputPlace place;  ///< of the sample's input
};

/// One split of a data set. All functions are pure and may be called from any number of threads at
/// once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// Number of samples.
  virtual int64_t size() const = 0;
  /// Sample `i`. Its arrays may be views of the data set's memory, so they are read-only.
  virtual Sample sample(int64_t i) const = 0;
  /// The same for a reader that resizes images: they may be smaller than those of `sample`, but not
  /// below `minimum`. A data set that decodes images does so faster.
  virtual Sample scaled_sample(int64_t i, const MinimumSize&) const { return sample(i); }
  /// Whether samples are of recordings (sounds, series, clips) that may be longer than the input.
  virtual bool has_stretches() const { return false; }
  /// The input that another stretch of recording `i` becomes: from 0, at its beginning, to 1, at
  /// its end; `sample` has the one that is measured on.
  virtual Array stretch(int64_t i, double) const { return sample(i).input; }
  /// The type of every sample's input, u8 or u16 [H,W,C], or f32[C, spatial...]; none if samples
  /// differ in size.
  virtual std::optional<Type> input() const = 0;
  /// The dtype of every sample's input; by default u8 if they differ in size.
  virtual DType dtype() const {
    const std::optional<Type> type = input();
    return type ? type->dtype : DType::u8;
  }
  /// If samples may differ in size: the type shared by all that were examined, so that most inputs
  /// have it; none if those differ.
  virtual std::optional<Type> typical_input() const { return input(); }
  /// How the files of a data set of sounds, series, clips or volumes become its inputs; null for
  /// images and for numbers that are in no files.
  virtual std::shared_ptr<const Modality> modality() const { return nullptr; }
  /// Of a volume in a file: see Modality::voxel_axes.
  virtual VoxelAxes voxel_axes(int64_t) const { return {}; }
  /// The type and names of the targets. Names include classes without a sample in this split.
  virtual const Targets& targets() const = 0;
  /// The target of sample `i`. By default that of sample(i), whose input is computed for nothing:
  /// override it where the target alone is cheaper, since a run reads the targets of all samples.
  virtual Array target(int64_t i) const { return sample(i).target; }
  /// The picture of sample `i` with boxes; by default its input, if all inputs are images of one
  /// size. None for other targets, and where it is not known.
  virtual std::optional<BoxedPicture> boxed_picture(int64_t i) const;
  /// Samples of one group, such as photos of one patient, are not divided between training and
  /// validation. By default each sample is its own group.
  virtual int64_t group(int64_t i) const { return i; }
  /// The number of the file that holds sample `i`, if samples are best read one after another: an
  /// epoch then goes through the files. None if any order is as quick.
  virtual std::optional<int64_t> shard(int64_t) const { return std::nullopt; }
  /// A stand-in for the contents if reading them all would take long, such as names and sizes of
  /// files; "" if the contents are read.
  virtual std::string stamp() const { return ""; }
  /// The name of sample `i` for people: its file, or "sample 7".
  virtual std::string name(int64_t i) const { return "sample " + std::to_string(i); }
  /// Bytes of memory that hold the samples; 0 if they are generated or read on demand.
  virtual int64_t held_bytes() const { return 0; }
};

/// A split that is held in memory.
class ArrayDataset : public Dataset {
 public:
  /// `inputs` u8 or u16 [N,H,W,C], or f32[N,C,spatial...]; `targets` [N, ...], with rows of the
  /// type in `meaning` (boxes as many as there are); both are shared, not copied. Errors: usage
  /// when dtypes, ranks or counts do not match, or a class has no name.
  ArrayDataset(Array inputs, Array targets, Targets meaning);

  int64_t size() const override { return inputs_->dim(0); }
  Sample sample(int64_t i) const override;
  std::optional<Type> input() const override { return input_; }
  const Targets& targets() const override { return meaning_; }
  int64_t held_bytes() const override {
    return static_cast<int64_t>(inputs_->bytes() + targets_->bytes());
  }

 private:
  std::shared_ptr<Array> inputs_, targets_;  // views share them
  Type input_;
  Targets meaning_;
};

/// Another split, changed in some respect: everything else is that of the other.
class DatasetView : public Dataset {
 public:
  explicit DatasetView(std::shared_ptr<const Dataset> dataset) : dataset_(std::move(dataset)) {}

  int64_t size() const override { return dataset_->size(); }
  Sample sample(int64_t i) const override { return dataset_->sample(source(i)); }
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override {
    return dataset_->scaled_sample(source(i), minimum);
  }
  bool has_stretches() const override { return dataset_->has_stretches(); }
  Array stretch(int64_t i, double place) const override {
    return dataset_->stretch(source(i), place);
  }
  std::optional<Type> input() const override { return dataset_->input(); }
  DType dtype() const override { return dataset_->dtype(); }
  std::optional<Type> typical_input() const override { return dataset_->typical_input(); }
  std::shared_ptr<const Modality> modality() const override { return dataset_->modality(); }
  VoxelAxes voxel_axes(int64_t i) const override { return dataset_->voxel_axes(source(i)); }
  const Targets& targets() const override { return dataset_->targets(); }
  Array target(int64_t i) const override { return dataset_->target(source(i)); }
  std::optional<BoxedPicture> boxed_picture(int64_t i) const override {
    return dataset_->boxed_picture(source(i));
  }
  int64_t group(int64_t i) const override { return dataset_->group(source(i)); }
  std::optional<int64_t> shard(int64_t i) const override { return dataset_->shard(source(i)); }
  std::string stamp() const override { return dataset_->stamp(); }
  std::string name(int64_t i) const override { return dataset_->name(source(i)); }
  int64_t held_bytes() const override { return dataset_->held_bytes(); }

 protected:
  /// The index of sample `i` in the other split.
  virtual int64_t source(int64_t i) const { return i; }

  const std::shared_ptr<const Dataset> dataset_;
};

/// Some samples of another split, in the order of a list of indices, which may repeat.
class Subset : public DatasetView {
 public:
  /// Errors: usage when an index is not in [0, dataset->size()).
  Subset(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> indices);

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  std::string stamp() const override;

 private:
  int64_t source(int64_t i) const override { return indices_[static_cast<size_t>(i)]; }

  std::vector<int64_t> indices_;
};

/// A split whose classes are renumbered to match another list of names.
class Renumbered : public DatasetView {
 public:
  /// Errors: usage when targets are not classes, or when `names` lacks one of them: both lists are
  /// in the error.
  Renumbered(std::shared_ptr<const Dataset> dataset, std::vector<std::string> names);

  Sample sample(int64_t i) const override { return scaled_sample(i, {}); }
  Sample scaled_sample(int64_t i, const MinimumSize& minimum) const override {
    return {dataset_->scaled_sample(i, minimum).input, target(i)};
  }
  const Targets& targets() const override { return meaning_; }
  Array target(int64_t i) const override;

 private:
  Targets meaning_;
  std::vector<int64_t> places_;  ///< of the classes of `dataset_` among the names
};

class FolderIndex;

/// A named data set: the split to train on, and those only to measure on.
struct DataSets {
  std::string name;  ///< in the registry: "fashion-mnist"
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;
  /// The validation split, if the data set has one; null: a part of `train` is used.
  std::shared_ptr<const Dataset> val = nullptr;
  /// The names in its folders, if it is of folders: see folder_index.h.
  std::shared_ptr<const FolderIndex> index = nullptr;
  /// The same samples with other kinds of targets, for other tasks: see tasks::sets_for.
  std::vector<DataSets> others = {};

  const Targets& targets() const { return train->targets(); }
};

/// The type of every sample's input. Errors: usage when samples differ in size, suggesting --input.
Type input_type(const Dataset& dataset);

/// C, spatial...: the shape that a net sees of such an input. Errors: usage when it is neither an
/// image u8 or u16 [H,W,C], a clip [T,H,W,C] nor f32[C, spatial...].
Shape net_shape(const Type& input);

/// What people call `count` samples of a data set: that of its modality, such as "sounds", or
/// "images", or "samples" where they are bare numbers.
std::string noun_of(const Dataset& dataset, int64_t count = 1);

/// The class of sample `i`. Errors: usage when targets are not classes.
int64_t class_of(const Dataset& dataset, int64_t i);

/// The result of split_validation: two views that together hold every sample once.
struct ValidationSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> val;
};

/// Holds out round(share * size) samples of `dataset`, drawn by `seed`, for validation; both parts
/// keep the order of `dataset`. If targets are classes, the split is stratified: each class gives
/// its share, rounded so that the total is exact. Groups stay together: entire groups are taken, in
/// an order drawn by `seed`, until there are enough samples. Share 0 gives an empty `val`;
/// otherwise each part has at least one sample (if `dataset` has two). Errors: usage when share is
/// not in [0, 1).
ValidationSplit split_validation(std::shared_ptr<const Dataset> dataset, double share,
                                 uint64_t seed);

/// `sets` with data to test on: without a test split the validation split, or without either a
/// fixed, stratified tenth of the training samples, which are no longer trained on.
DataSets with_test_split(DataSets sets);

/// The numbers 0 to n-1, permuted by Random(seed, purpose, index).
std::vector<int64_t> permutation(int64_t n, uint64_t seed, std::string_view purpose,
                                 uint64_t index = 0);

/// A hash of the sizes, targets and inputs of a split, in order, as 16 hex digits: equal for equal
/// data on every machine, from whatever file. For a split with a stamp, of that and the targets.
std::string fingerprint(const Dataset& dataset);

/// Mean and standard deviation of each channel, of pixel values scaled to 0..1 or of numbers.
struct ChannelStats {
  std::vector<double> mean;
  std::vector<double> std;
};

/// Over all pixels or numbers of a split (population standard deviation); equal for any number of
/// threads: exact for images, and summed in order for inputs f32[C, spatial...]. With `maximum`,
/// over at most that many samples, evenly spaced in the split. Errors: usage when the split is
/// empty, or its inputs are neither.
ChannelStats channel_stats(const Dataset& dataset, int64_t maximum = 0);

}  // namespace fovea::data
