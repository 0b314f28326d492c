#include "fovea/core/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "augmented.h"
#include "commands.h"
#include "data_flags.h"
#include "fovea/core/text.h"
#include "fovea/data/image_files.h"
#include "fovea/data/pictures.h"
#include "fovea/draw/grid.h"
#include "fovea/images/codec.h"
#include "fovea/images/samples.h"
#include "inputs.h"
#include "model.h"
#include "show.h"

namespace fovea::cli {
namespace {

struct DataViewFlags {
  DataFlags data;
  std::string split = "test", out, augment;
  int64_t count = 16, seed = 1;
  bool show = false;
};

std::string numbers_text(const std::vector<double>& values) {
  std::string text;
  for (double value : values) text += fmt::format("{}{:.4f}", text.empty() ? "" : ", ", value);
  return text;
}

int info(const DataViewFlags& flags, Console& console) {
  const data::DataSets sets = flags.data.open();
  const std::optional<Type> input = sets.train->typical_input();
  const data::Targets& targets = sets.targets();
  const bool classes =
      targets.type == data::class_targets({}).type || data::lies_in_image(targets.type);
  const std::string kind = classes                        ? "classes"
                           : targets.task == "multilabel" ? "labels"
                                                          : "numbers";
  const std::string fingerprint = data::fingerprint(*sets.train);
  const std::string shape = input ? sizes_text(data::net_shape(*input)) : "various sizes";
  Json document{
      {"name", sets.name},
      {"splits",
       {{"train", {{"count", sets.train->size()}}}, {"test", {{"count", sets.test->size()}}}}},
      {"image", shape},
      {"targets", to_string(targets.type)},
      {kind, targets.names},
      {"fingerprint", fingerprint}};
  if (sets.val) document["splits"]["val"] = {{"count", sets.val->size()}};
  std::string statistics;
  if (!input || data::is_image(*input)) {
    constexpr int64_t images_measured = 2000;  // if they have to be decoded
    const data::ChannelStats stats =
        data::channel_stats(*sets.train, sets.train->input() ? 0 : images_measured);
    document["mean"] = stats.mean;
    document["std"] = stats.std;
    statistics = fmt::format("mean         {}\nstd          {}\n", numbers_text(stats.mean),
                             numbers_text(stats.std));
  }
  const auto modality = sets.train->modality();
  const std::string noun = !input || data::is_image(*input) ? "images"
                           : data::reads_files(*sets.train) ? "files"
                                                            : "samples";
  if (modality) {
    document["modality"] = modality->text();
    statistics = fmt::format("modality     {}\n", modality->text());
  }
  console.document(document);
  console.result(
      fmt::format("name         {}\ntrain        {} {}\ntest         {} {}\n{:<13}{}\n{}"
                  "fingerprint  {}\n",
                  sets.name, grouped(sets.train->size()), noun, grouped(sets.test->size()), noun,
                  modality ? "input" : "image", shape, statistics, fingerprint));
  if (!targets.names.empty())
    console.result(fmt::format("{:<13}{}: {}\n", kind, targets.names.size(), join(targets.names)));
  return 0;
}

struct Sample {
  int64_t index;
  std::string label;
  Image image;
};

/// Errors: usage when a sample is not a picture, and there is none of it.
Image image_of(const data::Sample& sample, const data::Dataset& split) {
  const Array& pixels = sample.input;
  if (const auto modality = split.modality())
    return data::sample_picture(pixels, sample.target, split.targets(), modality.get());
  if (!data::is_image({pixels.dtype(), pixels.shape()}) ||
      (pixels.dim(2) != 1 && pixels.dim(2) != 3)) {
    throw Error(ErrorKind::usage, "data samples: the data set's inputs are not pictures")
        .with("inputs", describe(pixels));
  }
  return data::sample_picture(pixels, sample.target, split.targets());
}

std::vector<int64_t> chosen_indices(const data::Dataset& split, int64_t count, int64_t seed) {
  std::vector<int64_t> order =
      data::permutation(split.size(), static_cast<uint64_t>(seed), "samples");
  order.resize(static_cast<size_t>(std::min(count, split.size())));
  return order;
}

std::vector<Sample> draw_samples(const data::Dataset& split, int64_t count, int64_t seed) {
  std::vector<Sample> samples;
  for (int64_t i : chosen_indices(split, count, seed)) {
    const data::Sample sample = split.sample(i);
    samples.push_back(
        {i, data::target_text(sample.target, split.targets()), image_of(sample, split)});
  }
  return samples;
}

bool names_folder(const std::string& path) {
  return path.ends_with('/') || is_folder(path, ErrorKind::io);
}

/// Writes one file per sample, and returns their paths in order.
std::vector<std::string> write_files(const std::vector<Sample>& samples,
                                     const std::filesystem::path& folder) {
  make_folder(folder);
  std::vector<std::string> paths;
  for (const Sample& sample : samples) {
    const std::string name = fmt::format("{}-{}.png", sample.index, file_word(sample.label));
    paths.push_back((folder / name).string());
    encode_png(paths.back(), sample.image);
  }
  return paths;
}

/// All samples with their labels; with --augment each before and after the transforms, side by
/// side.
Image grid_of(const std::vector<Sample>& samples, const std::shared_ptr<const data::Dataset>& split,
              const DataViewFlags& flags) {
  std::vector<draw::Tile> tiles;
  if (flags.augment.empty() || samples.empty()) {
    for (const Sample& sample : samples) tiles.push_back({sample.image, sample.label});
    return draw::grid(tiles);
  }
  const auto chosen =
      std::make_shared<data::Subset>(split, chosen_indices(*split, flags.count, flags.seed));
  const auto seed = static_cast<uint64_t>(flags.seed);
  const std::vector<Image> before = augmented(chosen, "none", seed, 0),
                           after = augmented(chosen, flags.augment, seed, 0);
  for (size_t i = 0; i < samples.size(); ++i) {
    tiles.push_back({before[i], samples[i].label});
    tiles.push_back({after[i], "augmented"});
  }
  return draw::grid(tiles, {.columns = 2 * static_cast<int>(std::ceil(std::sqrt(
                                               static_cast<double>(samples.size()) / 2)))});
}

int samples(const DataViewFlags& flags, Console& console) {
  const data::DataSets sets = flags.data.open();
  if (flags.show) check_show(console);
  const auto split = flags.split == "train" ? sets.train : sets.test;
  if (split->size() == 0) {
    throw Error(ErrorKind::usage,
                fmt::format("data samples: the data set has no {} samples", flags.split))
        .with("try", flags.split == "train" ? "--split test" : "--split train");
  }
  const std::vector<Sample> chosen = draw_samples(*split, flags.count, flags.seed);
  const bool folder = names_folder(flags.out);
  if (!flags.augment.empty() && folder) {
    throw Error(ErrorKind::usage, "data samples: --augment draws a grid, and --out is a folder")
        .with("try", "--out FILE.png");
  }
  std::vector<std::string> files;
  if (folder) files = write_files(chosen, flags.out);
  if (flags.show || (!folder && !flags.out.empty())) {
    const Image grid = grid_of(chosen, split, flags);
    if (!folder && !flags.out.empty()) encode_png(flags.out, grid);
    if (flags.show) show(console, grid);
  }
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < chosen.size(); ++i) {
    list.push_back({{"index", chosen[i].index}, {"class", chosen[i].label}});
    rows.push_back({std::to_string(chosen[i].index), chosen[i].label});
    if (files.empty()) continue;
    list.back()["path"] = files[i];
    rows.back().push_back(files[i]);
  }
  Json document{{"split", flags.split}, {"samples", list}};
  if (!flags.out.empty()) document["out"] = flags.out;
  console.document(document);
  console.result(files.empty() ? table({"index", "class"}, rows, "rl")
                               : table({"index", "class", "file"}, rows, "rll"));
  if (files.empty() && !flags.out.empty()) console.result("\n" + flags.out + "\n");
  return 0;
}

}  // namespace

void add_data(Commands& commands) {
  Command group = commands.group("data", "Inspect or download a data set");
  const auto flags = std::make_shared<DataViewFlags>();
  Command info_command = commands.add(group, "info", "Classes, sizes and statistics",
                                      [flags](Console& console) { return info(*flags, console); });
  flags->data.add(info_command);

  Command samples_command =
      commands.add(group, "samples", "List, draw or save some samples of a data set",
                   [flags](Console& console) { return samples(*flags, console); });
  flags->data.add(samples_command);
  samples_command.word("--split", flags->split, "Which split: test or train", {"test", "train"});
  samples_command.count("--count", flags->count, "Number of images, chosen at random with --seed",
                        1, 10000);
  samples_command.text("--out", flags->out,
                       "A PNG with all of them, or DIR/ for one INDEX-CLASS.png each", "FILE|DIR/");
  samples_command.text("--augment", flags->augment,
                       "A list as in train: the grid shows each image before and after it", "LIST");
  samples_command.flag("--show", flags->show, "Draw the grid in the terminal");
  samples_command.count("--seed", flags->seed, "Seed of the random choice", 0, 9007199254740991);
  add_data_check(commands, group);
  add_data_transforms(commands, group);
  add_data_get(commands, group);
}

}  // namespace fovea::cli
