#include "fovea/data/volumes.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/arrays.h"
#include "fovea/data/class_folders.h"
#include "fovea/data/modality_files.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int void_label = 255;

Error bad_volumes(const std::string& what) { return {ErrorKind::data, what}; }

std::string label_layout() {
  return "DIR/images and DIR/labels with volumes of the same names, or both in DIR/train, val and "
         "test";
}

/// The images of one split and their labels, relative to the folder.
struct LabelledSplit {
  fs::path folder = {};
  std::vector<std::string> images = {}, labels = {};
};

/// The volumes in a folder by their names without suffix.
std::map<std::string, std::string> volumes_in(FolderIndex& index, const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& [name, is_folder] : index.list(folder)) {
    if (is_folder || !is_volume_name(name)) continue;
    if (!found.emplace(volume_stem(name), name).second)
      throw bad_volumes((folder / name).string() + ": there is another volume of this name");
  }
  return found;
}

LabelledSplit read_labelled_split(const fs::path& folder) {
  FolderIndex index(folder);
  const auto images = volumes_in(index, folder / "images"),
             labels = volumes_in(index, folder / "labels");
  LabelledSplit split{.folder = folder};
  for (const auto& [stem, name] : images) {
    const auto found = labels.find(stem);
    if (found == labels.end()) {
      throw bad_volumes((folder / "images" / name).string() + ": there are no labels of it")
          .with("expected", label_layout());
    }
    split.images.push_back("images/" + name);
    split.labels.push_back("labels/" + found->second);
  }
  for (const auto& [stem, name] : labels) {
    if (!images.contains(stem))
      throw bad_volumes((folder / "labels" / name).string() + ": there is no image of it");
  }
  if (split.images.empty())
    throw bad_volumes(folder.string() + ": no volumes").with("expected", label_layout());
  return split;
}

/// The labels of a file [D, H, W], each 1 + its class, or 0. Errors: data for numbers that are no
/// classes.
Array read_labels(const fs::path& file, int64_t classes, const VoxelAxes* axes = nullptr) {
  const Array values = read_volume(file, axes);
  if (values.dim(0) != 1) {
    throw bad_volumes(file.string() + ": labels have one channel").with("found", describe(values));
  }
  Array stored(DType::f32, values.shape());
  const std::span<const float> in = values.data<float>();
  const std::span<float> out = stored.data<float>();
  for (size_t i = 0; i < in.size(); ++i) {
    const float value = in[i];
    const bool counts = value != void_label;
    if (counts &&
        !(value >= 0 && value < static_cast<float>(classes) && value == std::floor(value))) {
      throw bad_volumes(fmt::format("{}: has the label {}, which is no class", file.string(),
                                    format_number(value)))
          .with("expected", fmt::format("whole numbers from 0 to {}, or {} where none counts",
                                        classes - 1, void_label));
    }
    out[i] = counts ? value + 1 : 0;
  }
  return stored;
}

/// The largest label of a split.
int64_t largest_label(const LabelledSplit& split) {
  std::atomic<int64_t> largest = 0;
  parallel_for(std::ssize(split.labels), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Array labels =
          read_labels(split.folder / split.labels[static_cast<size_t>(i)], most_mask_classes);
      const std::span<const float> values = labels.data<float>();
      const auto own = static_cast<int64_t>(*std::ranges::max_element(values)) - 1;
      for (int64_t seen = largest; own > seen && !largest.compare_exchange_weak(seen, own);) {
      }
    }
  });
  return largest;
}

class LabelledVolumes : public ModalityFiles {
 public:
  LabelledVolumes(std::shared_ptr<const VolumeModality> modality, const LabelledSplit& split,
                  const Targets& meaning)
      : ModalityFiles(modality,
                      {.root = split.folder,
                       .paths = split.images,
                       .targets = Array(DType::u8, {std::ssize(split.images), 0, 0, 0, 1})},
                      meaning),
        modality_(std::move(modality)),
        split_(split) {}

  Array target(int64_t i) const override { return as_target(labels(i)); }
  Sample sample(int64_t i) const override {
    const Array image = read_volume(path(i)), classes = labels(i);
    if (image.shape().slice(1) == classes.shape().slice(1))
      return {modality_->prepared(image, path(i)), as_target(classes)};
    throw bad_volumes(file(i).string() + ": is not of the size of its image")
        .with("labels", to_string(classes.shape().slice(1)))
        .with("image", fmt::format("{}: {}", to_string(image.shape().slice(1)), name(i)));
  }
  std::string stamp() const override {
    return ModalityFiles::stamp() + stamp_of(split_.folder, split_.labels);
  }

 private:
  fs::path file(int64_t i) const { return split_.folder / split_.labels[static_cast<size_t>(i)]; }

  /// Turned by their own axes, if their image has such, too; else as their image is.
  Array labels(int64_t i) const {
    const VoxelAxes image = volume_axes(path(i)), own = volume_axes(file(i));
    return read_labels(file(i), std::ssize(targets().names),
                       image.known && own.known ? &own : &image);
  }
  Array as_target(const Array& labels) const {
    const auto& [depth, height, width, channels] = modality_->options();
    return centered(labels, depth, height, width, 0)
        .astype(DType::u8)
        .reshaped({depth, height, width, 1});
  }

  std::shared_ptr<const VolumeModality> modality_;
  LabelledSplit split_;
};

/// The options given, and what is left open as the first volume has it.
VolumeOptions options_of(const Arguments& given, const fs::path& first) {
  VolumeOptions options;
  const bool open = !given.has("size") || !given.has("channels");
  const Shape own = open ? read_volume(first).shape() : Shape{1, 1, 1, 1};
  const std::vector<int64_t> size =
      given.has("size") ? given.integers("size") : std::vector<int64_t>{own[1], own[2], own[3]};
  options.channels = given.integer("channels", own[0]);
  options.depth = size.front();
  options.height = size[size.size() / 2];
  options.width = size.back();
  return options;
}

bool has_labelled_split(const fs::path& folder) {
  return is_folder(folder / "images", ErrorKind::data) &&
         is_folder(folder / "labels", ErrorKind::data);
}

DataSets open_labelled(const fs::path& folder, const Arguments& options) {
  const bool divided = has_labelled_split(folder / "train");
  std::vector<LabelledSplit> splits{read_labelled_split(divided ? folder / "train" : folder)};
  std::map<std::string, size_t> places;
  for (const char* name : {"val", "test"}) {
    if (!divided || !has_labelled_split(folder / name)) continue;
    places[name] = splits.size();
    splits.push_back(read_labelled_split(folder / name));
  }
  int64_t largest = 0;
  for (const LabelledSplit& split : splits) largest = std::max(largest, largest_label(split));
  const Targets meaning = mask_targets(class_names(folder, largest + 1), 3);
  const auto modality =
      std::make_shared<VolumeModality>(options_of(options, splits[0].folder / splits[0].images[0]));
  const auto part = [&](size_t i) {
    return std::make_shared<LabelledVolumes>(modality, splits[i], meaning);
  };
  DataSets sets{.name = "volumes", .train = part(0), .test = nullptr};
  if (places.contains("val")) sets.val = part(places.at("val"));
  if (places.contains("test")) sets.test = part(places.at("test"));
  return with_test_split(std::move(sets));
}

}  // namespace

std::vector<Argument> volume_options() {
  return {{.name = "size",
           .type = ArgumentType::integers,
           .minimum = 1,
           .maximum = 4096,
           .follows = "that of the first volume",
           .help = "depth, height and width of an input: 64 or 64x96x96"},
          {.name = "channels",
           .type = ArgumentType::integer,
           .minimum = 1,
           .maximum = 1024,
           .follows = "those of the first volume",
           .help = "that every volume must have"}};
}

DataSets open_volumes(const fs::path& folder, const Arguments& options) {
  if (has_labelled_split(folder) || has_labelled_split(folder / "train"))
    return open_labelled(folder, options);
  std::shared_ptr<const VolumeModality> modality;  // of the training volumes, which come first
  const ClassFiles files{
      .data_set = "volumes",
      .file = "VOLUME",
      .plural = "volumes",
      .suffixes = ".nii, .nii.gz or .npy",
      .takes = is_volume_name,
      .make = [&](FileList list, const Targets& targets) -> std::shared_ptr<const Dataset> {
        if (!modality) {
          modality =
              std::make_shared<VolumeModality>(options_of(options, list.root / list.paths.at(0)));
        }
        return std::make_shared<ModalityFiles>(modality, std::move(list), targets);
      }};
  return open_class_folders(folder, files);
}

}  // namespace fovea::data
