#include "fovea/data/clips.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/data/class_folders.h"
#include "fovea/data/moving_items.h"
#include "fovea/data/registry.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Dataset> clip_files(const std::shared_ptr<const ClipModality>& modality,
                                          int64_t windows, FileList files, const Targets& targets) {
  const auto video = std::ranges::find_if(
      files.paths, [](const std::string& path) { return is_video_name(path); });
  if (video != files.paths.end()) throw not_decoded(files.root / *video);
  return std::make_shared<ClipFiles>(modality, std::move(files), targets, windows);
}

/// Whether a place names another data set instead of a folder.
bool names_data(const fs::path& place) {
  return !exists(place, ErrorKind::data) && std::ranges::count(names(), place.string()) > 0;
}

}  // namespace

ClipFiles::ClipFiles(std::shared_ptr<const ClipModality> modality, FileList files, Targets meaning,
                     int64_t windows)
    : modality_(std::move(modality)),
      files_(std::move(files)),
      meaning_(std::move(meaning)),
      windows_(windows) {
  const Shape all{std::ssize(files_.paths)};
  if (windows_ >= 1 && files_.targets.dtype() == DType::i64 && files_.targets.shape() == all &&
      meaning_.type == class_targets({}).type) {
    return;
  }
  throw Error(ErrorKind::usage, "clips: a class for each file is expected, and a part or more")
      .with("files", std::to_string(files_.paths.size()))
      .with("targets", describe(files_.targets))
      .with("windows", std::to_string(windows_));
}

Sample ClipFiles::sample(int64_t i) const {
  return {modality_->read(path(i), i % windows_, windows_), target(i)};
}

Array ClipFiles::target(int64_t i) const {
  return Array::full(DType::i64, {}, files_.targets.at(i / windows_));
}

std::string ClipFiles::stamp() const {
  return stamp_of(files_.root, files_.paths) + modality_->text() + std::to_string(windows_);
}

std::string ClipFiles::name(int64_t i) const {
  if (windows_ == 1) return path(i).string();
  return fmt::format("{}, part {}", path(i).string(), i % windows_ + 1);
}

fs::path ClipFiles::path(int64_t i) const {
  return files_.root / files_.paths[static_cast<size_t>(i / windows_)];
}

std::vector<Argument> clip_options() {
  const auto option = [](std::string name, ArgumentType type, double maximum, std::string follows,
                         std::string help) {
    return Argument{.name = std::move(name),
                    .type = type,
                    .minimum = 1,
                    .maximum = maximum,
                    .follows = std::move(follows),
                    .help = std::move(help)};
  };
  using enum ArgumentType;
  return {
      option("length", integer, 1024, "16, or 8 of moving items", "frames"),
      option("stride", integer, 1024, "1", "one frame is taken of every so many in the file"),
      option("size", integers, 4096, "112, or 32 of moving items", "height and width of a frame"),
      option("channels", integer, 3, "3, or 1 of moving items", "1 for gray, 3 for colours"),
      option("windows", integer, 1024, "1", "samples of each clip, evenly spaced in it")};
}

DataSets open_clips(const fs::path& place, const Arguments& options) {
  const bool moving = names_data(place);
  const std::vector<int64_t> size =
      options.has("size") ? options.integers("size") : std::vector<int64_t>{moving ? 32 : 112};
  if (size.size() > 2) {
    throw Error(ErrorKind::usage, "clips: size is the height and width of a frame")
        .with("found", to_string(ArgumentValue(size)));
  }
  const int64_t windows = options.integer("windows", 1);
  const ClipOptions clip{.length = options.integer("length", moving ? 8 : 16),
                         .stride = options.integer("stride", 1),
                         .height = static_cast<int>(size.front()),
                         .width = static_cast<int>(size.back()),
                         .channels = static_cast<int>(options.integer("channels", moving ? 1 : 3))};
  const auto modality = std::make_shared<ClipModality>(clip);
  if (moving) {
    if (clip.stride != 1 || windows != 1 || clip.channels != 1) {
      throw Error(ErrorKind::usage, "moving items have no stride, windows or colours to choose")
          .with("try", fmt::format("--data clips:{},length=8,size=32", place.string()));
    }
    return open_moving_items(place.string(), clip);
  }
  const ClassFiles files{
      .data_set = "clips",
      .file = "CLIP",
      .plural = "clips",
      .suffixes = ".npy, or are folders of frames",
      .takes = [modality](const fs::path& file) { return modality->takes(file); },
      .make =
          [modality, windows](FileList list, const Targets& targets) {
            return clip_files(modality, windows, std::move(list), targets);
          }};
  return open_class_folders(place, files);
}

}  // namespace fovea::data
