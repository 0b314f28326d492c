#include "fovea/data/boxed_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "fovea/core/text.h"
#include "fovea/data/text_file.h"
#include "fovea/images/codec.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr size_t most_boxes = 10'000;    // in an image: the rows of every target
constexpr size_t most_classes = 65'536;  // a 32-bit float holds their numbers exactly
constexpr double rounded_pixels = 1;     // pixels that a box may stick out

FileList image_list_of(const fs::path& root, const std::vector<BoxedImage>& images) {
  FileList list{
      .root = root, .paths = {}, .targets = Array(DType::f32, {std::ssize(images), 0, 5})};
  for (const BoxedImage& image : images) list.paths.push_back(image.path);
  return list;
}

/// The same boxes in an image that was decoded smaller by this.
Sample with_boxes_divided(Sample sample, int divisor) {
  std::vector<ClassBox> boxes = boxes_of(sample.target);
  for (ClassBox& box : boxes) {
    for (double* side : {&box.x1, &box.y1, &box.x2, &box.y2}) *side /= divisor;
  }
  sample.target = box_array(boxes, sample.target.dim(0));
  return sample;
}

}  // namespace

void BoxedImage::fail(Error error) {
  if (!problem) problem = std::make_shared<const Error>(std::move(error));
}

void BoxedImage::add(ClassBox box, const std::string& where, std::optional<double> area) {
  const auto right = static_cast<double>(width), bottom = static_cast<double>(height);
  const auto bad = [&](const std::string& what) {
    fail(Error(ErrorKind::data, fmt::format("{}: {}", where, what))
             .with("box", fmt::format("left {:.6g}, top {:.6g}, right {:.6g}, bottom {:.6g}",
                                      box.x1, box.y1, box.x2, box.y2))
             .with("image", fmt::format("{}x{}: {}", height, width, printable(path)))
             .with("try", "--on-bad-image skip, which leaves such images out"));
  };
  if (!std::isfinite(box.x1) || !std::isfinite(box.y1) || !std::isfinite(box.x2) ||
      !std::isfinite(box.y2))
    return bad("the box has numbers that are not finite");
  if (box.x1 < -rounded_pixels || box.y1 < -rounded_pixels || box.x2 > right + rounded_pixels ||
      box.y2 > bottom + rounded_pixels)
    return bad("the box lies outside the image, in part or as a whole");
  ClassBox inside = box;
  inside.x1 = std::max(box.x1, 0.0);
  inside.y1 = std::max(box.y1, 0.0);
  inside.x2 = std::min(box.x2, right);
  inside.y2 = std::min(box.y2, bottom);
  if (!(inside.width() > 0 && inside.height() > 0)) return bad("the box is empty");
  if (boxes.size() == most_boxes) return bad(fmt::format("more than {} boxes", most_boxes));
  boxes.push_back(inside);
  areas.push_back(area.value_or(inside.area()));
}

void require_no_problem(const std::vector<BoxedImage>& images) {
  for (const BoxedImage& image : images) {
    if (image.problem) throw Error(*image.problem);
  }
}

BoxedImages::BoxedImages(const fs::path& root, std::vector<BoxedImage> images,
                         const Targets& meaning)
    : ImageFiles(image_list_of(root, images), meaning), images_(std::move(images)) {}

Array BoxedImages::target(int64_t i) const {
  const BoxedImage& image = images_[static_cast<size_t>(i)];
  if (image.problem) throw Error(*image.problem);
  return box_array(image.boxes, targets().capacity);
}

std::optional<BoxedPicture> BoxedImages::boxed_picture(int64_t i) const {
  const BoxedImage& image = images_[static_cast<size_t>(i)];
  return BoxedPicture{.areas = image.areas, .place = whole_place(image.height, image.width)};
}

Sample BoxedImages::scaled_sample(int64_t i, const MinimumSize& minimum) const {
  const BoxedImage& image = images_[static_cast<size_t>(i)];
  const ImageSize stated{image.height, image.width};
  Sample sample = ImageFiles::scaled_sample(i, exact_minimum(stated, minimum));
  const ImageSize size{static_cast<int>(sample.input.dim(0)),
                       static_cast<int>(sample.input.dim(1))};
  if (size == stated) return sample;
  const ImageSize own = image_size(path(i));
  if (own == stated) return with_boxes_divided(std::move(sample), own.height / size.height);
  throw Error(ErrorKind::data, name(i) + ": is not of the size that its boxes are for")
      .with("image", fmt::format("{}x{}", own.height, own.width))
      .with("boxes", fmt::format("for {}x{}", image.height, image.width))
      .with("try", "annotations of this image, before it was turned or resized");
}

DataSets boxed_sets(const std::string& name, std::vector<std::string> classes, BoxedSplit train,
                    BoxedSplit val, BoxedSplit test, std::vector<int64_t> ids) {
  const auto missing = [&](const char* what) {
    return Error(ErrorKind::data, fmt::format("{}: no {}", train.root.string(), what))
        .with("try", fmt::format("the files that docs/detection.md describes for {}:DIR", name));
  };
  if (train.images.empty()) throw missing("images to train on");
  if (classes.empty()) throw missing("classes");
  size_t capacity = 1;
  for (const BoxedSplit* split : {&train, &val, &test}) {
    for (const BoxedImage& image : split->images) capacity = std::max(capacity, image.boxes.size());
  }
  Targets meaning = box_targets(std::move(classes), static_cast<int64_t>(capacity));
  meaning.ids = std::move(ids);
  const auto made = [&](BoxedSplit& split) -> std::shared_ptr<const Dataset> {
    if (split.images.empty()) return nullptr;
    return std::make_shared<BoxedImages>(split.root, std::move(split.images), meaning);
  };
  return with_test_split(
      {.name = name, .train = made(train), .test = made(test), .val = made(val)});
}

void check_class_names(const std::string& where, const std::vector<std::string>& names) {
  const auto bad = [&](const std::string& what) {
    return Error(ErrorKind::data, fmt::format("{}: {}", where, what));
  };
  if (names.empty()) throw bad("no classes");
  if (names.size() > most_classes) throw bad(fmt::format("more than {} classes", most_classes));
  constexpr size_t longest_name = 1000;
  std::set<std::string> known;
  for (const std::string& name : names) {
    if (name.empty()) throw bad("a class has no name");
    if (!is_plain(name, longest_name)) {
      throw bad(fmt::format("the name of a class has {}: {}",
                            name.size() > longest_name
                                ? fmt::format("more than {} bytes", longest_name)
                                : "control characters",
                            printable(name)));
    }
    if (!known.insert(name).second)
      throw bad(fmt::format("the class {} occurs twice", printable(name)));
  }
}

std::vector<std::string> read_class_list(const fs::path& file) {
  std::vector<std::string> names;
  constexpr size_t largest = size_t{4} << 20;
  for_each_line(read_text_file(file, largest),
                [&](std::string_view line, size_t) { names.emplace_back(line); });
  while (!names.empty() && names.back().empty()) names.pop_back();
  check_class_names(file.string(), names);
  return names;
}

void check_inside(const std::string& where, const std::string& path) {
  const fs::path given(path);
  if (is_plain(path, longest_path) && given.is_relative() &&
      std::ranges::count(given, fs::path("..")) == 0)
    return;
  throw Error(ErrorKind::data,
              fmt::format("{}: \"{}\" is not the name of a file in a folder of images", where,
                          printable(path)));
}

}  // namespace fovea::data
