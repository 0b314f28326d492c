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

std::optional<BoxedPicture> Prepared::boxed_picture(int64_t i) const {
  std::optional<BoxedPicture> picture = DatasetView::boxed_picture(i);
  if (!picture) return std::nullopt;
  const Preprocessing& p = resize_.preprocessing();
  const InputPlace before = picture->place;
  InputPlace& place = picture->place;
  place = prepared_place(before.height, before.width, p);  // in the other split's input
  const double y = before.area.height / before.height, x = before.area.width / before.width;
  place.area = {before.area.top + place.area.top * y, before.area.left + place.area.left * x,
                place.area.height * y, place.area.width * x};
  place.picture_height = before.picture_height;
  place.picture_width = before.picture_width;
  if (p.resize) picture->areas.clear();
  return picture;
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
