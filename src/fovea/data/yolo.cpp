#include "fovea/data/yolo.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/boxed_images.h"
#include "fovea/data/data_yaml.h"
#include "fovea/data/text_file.h"
#include "fovea/images/codec.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> yolo_splits{"train", "val", "test"};
constexpr size_t largest_labels = size_t{16} << 20;  // bytes of the text of an image

std::string yolo_layout() {
  return "DIR/data.yaml, or DIR/images and DIR/labels, or images/SPLIT and labels/SPLIT, or "
         "SPLIT/images and SPLIT/labels, where SPLIT is train, val or test";
}

/// The images in a folder and those below it, in order.
std::vector<fs::path> images_in(const fs::path& folder) {
  std::vector<fs::path> images;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_image_name(entry->path()) && !entry->path().filename().string().starts_with('.'))
      images.push_back(entry->path());
  }
  if (error) {
    throw Error(ErrorKind::data,
                fmt::format("{}: cannot be read: {}", folder.string(), error.message()));
  }
  std::ranges::sort(images);
  return images;
}

/// The paths in a text, a line each, relative to its folder or to `base`. Errors: data for a line
/// that is not the name of an image.
std::vector<fs::path> images_listed(const fs::path& list, const fs::path& base) {
  std::vector<fs::path> images;
  for_each_line(read_text_file(list), [&](std::string_view line, size_t number) {
    if (line.empty()) return;
    if (!is_plain(line, longest_path) || !is_image_name(line)) {
      throw Error(ErrorKind::data, fmt::format("{}: line {} is not the name of an image: {}",
                                               list.string(), number, printable(line)))
          .with("expected", "names that end in .png, .jpg, .jpeg or .webp");
    }
    const fs::path beside = list.parent_path() / line;
    images.push_back((exists(beside, ErrorKind::data) ? beside : base / line).lexically_normal());
  });
  return images;
}

/// The text with an image's boxes: the last folder "images" of its path is "labels" there.
fs::path labels_of(const fs::path& image) {
  std::vector<fs::path> parts(image.begin(), image.end());
  const auto found = std::find(parts.rbegin(), parts.rend(), fs::path("images"));
  if (found != parts.rend()) *found = "labels";
  fs::path labels;
  for (const fs::path& part : parts) labels /= part;
  return labels.replace_extension(".txt");
}

/// A label as the file has it: its class, and the corners as fractions.
struct YoloLabel {
  size_t line;
  int64_t number;
  double x1, y1, x2, y2;
};

/// The numbers of a line, taken one after another: an outline may have very many.
class LabelNumbers {
 public:
  LabelNumbers(std::string_view line, std::string where) : rest_(line), where_(std::move(where)) {}

  /// None at the end. Errors: data for what is no finite number.
  std::optional<double> next() {
    constexpr std::string_view blanks = " \t\r";
    rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
    if (rest_.empty()) return std::nullopt;
    const std::string_view word = rest_.substr(0, rest_.find_first_of(blanks));
    rest_.remove_prefix(word.size());
    ++count_;
    if (const std::optional<double> number = parse_number(word)) return number;
    throw Error(ErrorKind::data,
                fmt::format("{}: \"{}\" is not a number", where_, printable(word)));
  }
  size_t count() const { return count_; }

 private:
  std::string_view rest_;
  std::string where_;
  size_t count_ = 0;
};

/// The label in a line that is not blank.
YoloLabel parsed_label(std::string_view text, const std::string& where, size_t line) {
  LabelNumbers numbers(text, where);
  std::array<double, 5> first{};
  for (double& value : first) value = numbers.next().value_or(0);
  const auto [number, x, y, width, height] = first;
  YoloLabel label{.line = line,
                  .number = 0,
                  .x1 = x - width / 2,
                  .y1 = y - height / 2,
                  .x2 = x + width / 2,
                  .y2 = y + height / 2};
  if (std::optional<double> next = numbers.next()) {  // an outline, whose second point is `width`
    std::tie(label.x1, label.x2) = std::minmax(x, width);
    std::tie(label.y1, label.y2) = std::minmax(y, height);
    for (; next; next = numbers.next()) {
      const bool is_x = numbers.count() % 2 == 0;
      double &low = is_x ? label.x1 : label.y1, &high = is_x ? label.x2 : label.y2;
      low = std::min(low, *next);
      high = std::max(high, *next);
    }
  }
  const size_t count = numbers.count();
  if (count != 5 && (count < 7 || count % 2 == 0)) {
    throw Error(ErrorKind::data, fmt::format("{}: {} numbers are not a box", where, count))
        .with("expected",
              "class, x and y of the centre, width, height; or class and points of an outline");
  }
  constexpr double largest = 65'535;
  if (number < 0 || number != std::floor(number) || number > largest) {
    throw Error(ErrorKind::data,
                fmt::format("{}: {} is not the number of a class", where, format_number(number)));
  }
  label.number = static_cast<int64_t>(number);
  return label;
}

std::vector<YoloLabel> read_labels(const fs::path& file) {
  std::vector<YoloLabel> labels;
  for_each_line(read_text_file(file, largest_labels), [&](std::string_view line, size_t number) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    labels.push_back(parsed_label(line, fmt::format("{}: line {}", file.string(), number), number));
  });
  return labels;
}

/// An image, and whether there is a text with its boxes. What is wrong with the image or a line
/// becomes its problem. Errors: data for a class that is not one of `classes`.
struct LabelledImage {
  BoxedImage image;
  bool labelled = false;
  int64_t largest = -1;  ///< number of a class
};

LabelledImage read_labelled_image(const fs::path& root, const fs::path& path,
                                  const std::optional<size_t>& classes) {
  const fs::path file = labels_of(path);
  const std::string below = path.lexically_relative(root).string();
  LabelledImage result{.image = {.path = below.empty() ? path.string() : below}};
  result.image.attempt([&] {
    require_file(path, ErrorKind::data);
    const ImageSize size = image_size(path);
    result.image.height = size.height;
    result.image.width = size.width;
  });
  std::optional<std::vector<YoloLabel>> labels;
  result.image.attempt([&] {
    result.labelled = exists(file, ErrorKind::data);
    if (result.labelled) labels = read_labels(file);
  });
  if (!labels) return result;
  for (const YoloLabel& label : *labels) {
    const std::string where = fmt::format("{}: line {}", file.string(), label.line);
    if (classes && label.number >= static_cast<int64_t>(*classes)) {
      throw Error(ErrorKind::data, fmt::format("{}: there is no class {}", where, label.number))
          .with("classes", fmt::format("0 to {}", *classes - 1));
    }
    result.largest = std::max(result.largest, label.number);
    result.image.add({.x1 = label.x1 * result.image.width,
                      .y1 = label.y1 * result.image.height,
                      .x2 = label.x2 * result.image.width,
                      .y2 = label.y2 * result.image.height,
                      .label = label.number},
                     where);
  }
  return result;
}

/// The image files of each split, and the names of the classes if they are known.
struct YoloContents {
  std::map<std::string, std::vector<fs::path>> images;
  std::optional<std::vector<std::string>> names;
};

/// The folder or list that data.yaml means: it was often written for another place, "../train" is
/// then here.
fs::path yolo_place(const fs::path& folder, const DataYaml& yaml, const std::string& text) {
  std::vector<std::string> looked;
  for (const fs::path& base : {folder / yaml.path, folder}) {
    for (const std::string& variant : {text, text.starts_with("../") ? text.substr(3) : text}) {
      const fs::path place = (base / variant).lexically_normal();
      if (exists(place, ErrorKind::data)) return place;
      if (std::ranges::count(looked, place.string()) == 0) looked.push_back(place.string());
    }
  }
  throw Error(ErrorKind::data,
              fmt::format("{}: {} was not found", (folder / "data.yaml").string(), printable(text)))
      .with("looked", fmt::format("for {}", join(looked)));
}

YoloContents contents_of(const fs::path& folder, const DataYaml& yaml) {
  YoloContents contents{.images = {}, .names = yaml.names};
  for (const auto& [split, places] : yaml.splits) {
    std::vector<fs::path>& images = contents.images[split];
    for (const std::string& text : places) {
      const fs::path place = yolo_place(folder, yaml, text);
      const std::vector<fs::path> own = is_folder(place, ErrorKind::data)
                                            ? images_in(place)
                                            : images_listed(place, folder / yaml.path);
      images.insert(images.end(), own.begin(), own.end());
    }
  }
  if (contents.images["train"].empty())
    throw Error(ErrorKind::data, (folder / "data.yaml").string() + ": no images to train on");
  return contents;
}

YoloContents contents_of(const fs::path& folder) {
  YoloContents contents;
  for (const std::string& split : yolo_splits) {
    for (const std::string& name : {split, split == "val" ? std::string("valid") : split}) {
      for (const fs::path& place : {folder / "images" / name, folder / name / "images"}) {
        if (contents.images[split].empty() && is_folder(place, ErrorKind::data))
          contents.images[split] = images_in(place);
      }
    }
  }
  if (contents.images["train"].empty() && is_folder(folder / "images", ErrorKind::data))
    contents.images["train"] = images_in(folder / "images");
  if (contents.images["train"].empty()) {
    const bool there = is_folder(folder, ErrorKind::data);
    throw Error(ErrorKind::data, folder.string() + (there ? ": no images to train on"
                                                          : " is not a folder, or does not exist"))
        .with("expected", yolo_layout());
  }
  const fs::path names = folder / "classes.txt";
  if (exists(names, ErrorKind::data)) contents.names = read_class_list(names);
  return contents;
}

/// The images of a split; `largest` grows to the largest number of a class.
BoxedSplit read_yolo_split(const fs::path& folder, const std::vector<fs::path>& paths,
                           const std::optional<size_t>& classes, int64_t& largest, bool& labelled) {
  BoxedSplit split{.root = folder, .images = std::vector<BoxedImage>(paths.size())};
  std::mutex guard;
  parallel_for(std::ssize(paths), 64, [&](int64_t begin, int64_t end) {
    int64_t own_largest = -1;
    bool own_labelled = false;
    for (int64_t i = begin; i < end; ++i) {
      LabelledImage image = read_labelled_image(folder, paths[static_cast<size_t>(i)], classes);
      own_largest = std::max(own_largest, image.largest);
      own_labelled |= image.labelled;
      split.images[static_cast<size_t>(i)] = std::move(image.image);
    }
    const std::lock_guard lock(guard);
    largest = std::max(largest, own_largest);
    labelled |= own_labelled;
  });
  return split;
}

}  // namespace

DataSets open_yolo(const fs::path& folder) {
  const fs::path yaml = folder / "data.yaml";
  YoloContents contents = exists(yaml, ErrorKind::data) ? contents_of(folder, read_data_yaml(yaml))
                                                        : contents_of(folder);
  std::optional<size_t> classes;
  if (contents.names) classes = contents.names->size();
  int64_t largest = -1;
  bool labelled = false;
  std::vector<BoxedSplit> splits;
  for (const std::string& name : yolo_splits)
    splits.push_back(read_yolo_split(folder, contents.images[name], classes, largest, labelled));
  if (!labelled) {
    const fs::path first = contents.images["train"][0];
    throw Error(ErrorKind::data, folder.string() + ": no image has a text with its boxes")
        .with("looked", fmt::format("for {} and the like", labels_of(first).string()))
        .with("expected", yolo_layout());
  }
  std::vector<std::string> names;
  for (int64_t k = 0; k <= largest; ++k) names.push_back(std::to_string(k));
  if (contents.names) names = *contents.names;
  for (const BoxedSplit& split : splits) {
    if (names.empty()) require_no_problem(split.images);
  }
  check_class_names(folder.string(), names);
  return boxed_sets("yolo", std::move(names), std::move(splits[0]), std::move(splits[1]),
                    std::move(splits[2]));
}

}  // namespace fovea::data
