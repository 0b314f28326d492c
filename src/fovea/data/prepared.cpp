#include "fovea/data/prepared.h"

#include <algorithm>

#include "fovea/core/error.h"

namespace fovea::data {

Resize::Resize(Preprocessing preprocessing)
    : preprocessing_(std::move(preprocessing)), minimum_(minimum_size_for(preprocessing_)) {
  if (const std::string what = problem(preprocessing_); !what.empty()) {
    throw Error(ErrorKind::usage, "data set: its images cannot be prepared: " + what);
  }
}

Type Resize::output(const Type& input) const {
  require_image("resize", input);
  if (input.shape[2] != 1 && input.shape[2] != 3) {
    throw Error(ErrorKind::usage, "data set: images of " + std::to_string(input.shape[2]) +
                                      " channels cannot be resized; 1 or 3 are expected");
  }
  return image_type(preprocessing_);
}

void Resize::operator()(Sample& sample) const {
  const Array& input = sample.input;
  const Type type = output({input.dtype(), input.shape()});
  const std::span<const uint8_t> pixels = input.data<uint8_t>();
  const Image made =
      prepare({static_cast<int>(input.dim(0)), static_cast<int>(input.dim(1)),
               static_cast<int>(input.dim(2)), std::vector<uint8_t>(pixels.begin(), pixels.end())},
              preprocessing_);
  sample.input = Array::of(made.pixels, type.shape);
}

Prepared::Prepared(std::shared_ptr<const Dataset> dataset, const Preprocessing& preprocessing)
    : dataset_(std::move(dataset)), resize_(preprocessing), input_(image_type(preprocessing)) {
  if (const std::optional<Type> type = dataset_->input()) (void)resize_.output(*type);
}

Sample Prepared::sample(int64_t i) const {
  Sample sample = dataset_->scaled_sample(i, resize_.minimum_size({}));
  resize_(sample);
  return sample;
}

Type image_type(const Preprocessing& p) { return {DType::u8, {p.height, p.width, p.channels}}; }

bool needs_resizing(const Dataset& dataset, const Preprocessing& preprocessing) {
  const std::optional<Type> type = dataset.input();
  return !type || (type->dtype == DType::u8 && *type != image_type(preprocessing));
}

std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> dataset,
                                        const Preprocessing& preprocessing) {
  if (!needs_resizing(*dataset, preprocessing)) return dataset;
  return std::make_shared<Prepared>(std::move(dataset), preprocessing);
}

}  // namespace fovea::data
