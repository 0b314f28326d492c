#include "fovea/data/prepared.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/data/moves.h"

namespace fovea::data {

Resize::Resize(Preprocessing preprocessing)
    : preprocessing_(std::move(preprocessing)), minimum_(minimum_size_for(preprocessing_)) {
  if (const std::string what = problem(preprocessing_); !what.empty()) {
    throw Error(ErrorKind::usage, fmt::format("data set: its images cannot be prepared: {}", what));
  }
}

Type Resize::output(const Type& input) const {
  require_image("resize", input);
  if (input.shape[2] != 1 && input.shape[2] != 3) {
    throw Error(
        ErrorKind::usage,
        fmt::format("data set: images of {} channels cannot be resized; 1 or 3 are expected",
                    input.shape[2]));
  }
  return image_type(preprocessing_, input.dtype);
}

void Resize::operator()(Sample& sample) const {
  (void)output({sample.input.dtype(), sample.input.shape()});
  prepare(sample, preprocessing_);
}

Prepared::Prepared(std::shared_ptr<const Dataset> dataset, const Preprocessing& preprocessing)
    : DatasetView(std::move(dataset)),
      resize_(preprocessing),
      input_(image_type(preprocessing, dataset_->dtype())) {
  if (const std::optional<Type> type = dataset_->input()) (void)resize_.output(*type);
}

Sample Prepared::sample(int64_t i) const {
  Sample sample = dataset_->scaled_sample(i, resize_.minimum_size({}));
  resize_(sample);
  return sample;
}

Array Prepared::target(int64_t i) const {
  return lies_in_image(targets().type) ? sample(i).target : DatasetView::target(i);
}

std::optional<BoxAreas> Prepared::box_areas(int64_t i) const {
  std::optional<BoxAreas> areas = DatasetView::box_areas(i);
  if (!areas) return std::nullopt;
  const Preprocessing& p = resize_.preprocessing();
  const PictureArea seen =
      prepared_area(static_cast<int>(areas->height), static_cast<int>(areas->width), p);
  areas->pixel *= seen.height / p.height * (seen.width / p.width);
  areas->height = p.height;
  areas->width = p.width;
  if (p.resize) areas->objects.clear();
  return areas;
}

Type image_type(const Preprocessing& p, DType dtype) {
  return {dtype, {p.height, p.width, p.channels}};
}

bool needs_resizing(const Dataset& dataset, const Preprocessing& preprocessing) {
  const std::optional<Type> type = dataset.input();
  return !type || (is_image(*type) && *type != image_type(preprocessing, type->dtype));
}

std::shared_ptr<const Dataset> prepared(std::shared_ptr<const Dataset> dataset,
                                        const Preprocessing& preprocessing) {
  if (!needs_resizing(*dataset, preprocessing)) return dataset;
  return std::make_shared<Prepared>(std::move(dataset), preprocessing);
}

}  // namespace fovea::data
