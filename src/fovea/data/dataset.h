#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/data/sample.h"

namespace fovea::data {

/// One split of a data set. All functions are pure and may be called from any number of threads at
/// once.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// Number of samples.
  virtual int64_t size() const = 0;
  /// Sample `i`. Its arrays may be views of what the data set holds: they are for reading only.
  virtual Sample sample(int64_t i) const = 0;
  /// The type of every sample's input, u8[H,W,C] or f32[C, spatial...]; nothing where samples
  /// differ in size.
  virtual std::optional<Type> input() const = 0;
  /// What the targets are. Names include classes without a sample in this split.
  virtual const Targets& targets() const = 0;
  /// Bytes of memory that hold the samples; 0 where they are made or read when asked for.
  virtual int64_t held_bytes() const { return 0; }
};

/// A split that is held in memory.
class ArrayDataset : public Dataset {
 public:
  /// `inputs` u8[N,H,W,C] or f32[N,C,spatial...]; `targets` [N, ...], with rows of the type that
  /// `meaning` says; both are shared, not copied. Errors: usage when dtypes, ranks or counts differ
  /// from that, or when a class has no name.
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

/// Some samples of another split, in the order of a list of indices; an index may come twice.
class Subset : public Dataset {
 public:
  /// Errors: usage when an index is not in [0, whole->size()).
  Subset(std::shared_ptr<const Dataset> whole, std::vector<int64_t> indices);

  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  Sample sample(int64_t i) const override {
    return whole_->sample(indices_[static_cast<size_t>(i)]);
  }
  std::optional<Type> input() const override { return whole_->input(); }
  const Targets& targets() const override { return whole_->targets(); }
  int64_t held_bytes() const override { return whole_->held_bytes(); }

 private:
  std::shared_ptr<const Dataset> whole_;
  std::vector<int64_t> indices_;
};

/// A named data set: what is trained on, and what is only measured on.
struct DataSets {
  std::string name;  ///< as the registry knows it: "fashion-mnist"
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> test;

  const Targets& targets() const { return train->targets(); }
};

/// The type of every sample's input. Errors: usage when samples differ in size, which --input
/// mends.
Type input_type(const Dataset& dataset);

/// C, spatial...: the shape that a net sees of such an input. Errors: usage when it is neither an
/// image u8[H,W,C] nor f32[C, spatial...].
Shape net_shape(const Type& input);

/// The class of sample `i`. Errors: usage when targets are no classes.
int64_t class_of(const Dataset& dataset, int64_t i);

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

/// 16 hex digits over the sizes, targets and inputs of a split, in order: equal for equal data on
/// every machine, whatever file it came from.
std::string fingerprint(const Dataset& dataset);

/// Mean and standard deviation of each channel, of pixel values scaled to 0..1.
struct ChannelStats {
  std::vector<double> mean;
  std::vector<double> std;
};

/// Over all pixels of a split of images u8[H,W,C] (the population's deviation); exact, so equal for
/// any number of threads. Errors: usage when the split is empty or its inputs are no images.
ChannelStats channel_stats(const Dataset& dataset);

}  // namespace fovea::data
