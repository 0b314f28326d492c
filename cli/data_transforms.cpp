#include <algorithm>
#include <memory>

#include "commands.h"
#include "fovea/data/loader.h"
#include "fovea/data/prepared.h"
#include "fovea/data/registry.h"
#include "fovea/draw/grid.h"
#include "fovea/images/codec.h"
#include "fovea/ops.h"
#include "fovea/runtime/program.h"

namespace fovea::cli {
namespace {

constexpr int side_of_several_sizes = 112;  // if image sizes differ

struct Flags {
  std::string data, augment, out;
  int64_t count = 16, seed = 1;
};

/// The net input for these samples: images of a common size keep it.
Preprocessing preprocessing_of(const data::Dataset& dataset) {
  const Type type = dataset.typical_input().value_or(
      Type{DType::u8, {side_of_several_sizes, side_of_several_sizes, 3}});
  if (type.dtype != DType::u8 || (type.shape[2] != 1 && type.shape[2] != 3)) {
    throw Error(ErrorKind::usage, "data transforms: the data set's inputs are not pictures")
        .with("inputs", to_string(type));
  }
  Preprocessing result;
  result.height = static_cast<int>(type.shape[0]);
  result.width = static_cast<int>(type.shape[1]);
  result.channels = static_cast<int>(type.shape[2]);
  result.mean.assign(static_cast<size_t>(type.shape[2]), 0.0);
  result.std.assign(static_cast<size_t>(type.shape[2]), 1.0);
  return result;
}

/// The images of a batch after mixing, as in that training step.
Array mixed(const data::Mixing& mixing, const data::Batch& batch, uint64_t seed, int64_t step) {
  const Shape& shape = batch.inputs.shape();
  const std::vector<float> mean(static_cast<size_t>(shape[3]), 0), std(mean.size(), 1);
  const auto graph = Graph::make(Mode::eval);
  const Tensor images = normalize_images(graph->input("inputs", {DType::u8, shape}), mean, std);
  const Tensor targets = graph->input("targets", {batch.targets.dtype(), batch.targets.shape()});
  const Tensor bytes = mixing.trace({images, targets}).inputs * 255 + 0.5;
  graph->output("images", cast(permute(minimum(maximum(bytes, 0), 255), {0, 2, 3, 1}), DType::u8));
  const auto random = mixing.draw(images.shape(), seed, step);
  Inputs inputs{{"inputs", batch.inputs}, {"targets", batch.targets}};
  inputs.insert(inputs.end(), random.begin(), random.end());
  Memory memory;
  State none;
  return Program(*graph).run(memory, none, inputs)[0].clone();
}

/// The first of two samples after the transforms; the other one is for mixing.
Image transformed(const std::shared_ptr<const data::Dataset>& pair, const std::string& augment,
                  const Flags& flags, int64_t epoch) {
  const Preprocessing preprocessing = preprocessing_of(*pair);
  const auto seed = static_cast<uint64_t>(flags.seed);
  data::LoaderOptions options{.batch = 2, .seed = seed};
  options.augment = data::Augmentation::parse(augment, pair->typical_input().has_value());
  options.resize = std::make_shared<data::Resize>(preprocessing);
  const data::Mixing mixing(
      std::exchange(options.augment.batch, {}),
      {DType::f32, {preprocessing.channels, preprocessing.height, preprocessing.width}},
      pair->targets());
  data::Loader loader(pair, std::move(options));
  loader.start(epoch);
  const Array batch = mixed(mixing, *loader.next(), seed, epoch);
  Image image = Image::black(static_cast<int>(batch.dim(1)), static_cast<int>(batch.dim(2)),
                             static_cast<int>(batch.dim(3)));
  std::ranges::copy(batch.data<uint8_t>().first(image.pixels.size()), image.pixels.begin());
  return image;
}

std::shared_ptr<const data::Dataset> two_samples(const Flags& flags) {
  if (flags.data.empty()) {
    throw Error(ErrorKind::usage, "a data set is required").with("data sets", data::usage());
  }
  const std::shared_ptr<const data::Dataset> train = data::open(flags.data).train;
  std::vector<int64_t> order =
      data::permutation(train->size(), static_cast<uint64_t>(flags.seed), "samples");
  if (order.empty()) throw Error(ErrorKind::usage, "data transforms: the data set is empty");
  order.resize(2, order[0]);
  return std::make_shared<data::Subset>(train, std::move(order));
}

/// What to draw besides the image itself: each transform's example, or one list repeatedly.
std::vector<std::string> lists_of(const Flags& flags) {
  if (!flags.augment.empty()) {
    return std::vector<std::string>(static_cast<size_t>(flags.count), flags.augment);
  }
  std::vector<std::string> lists;
  for (const data::TransformEntry& row : data::transforms()) {
    if (!row.example.empty()) lists.push_back(row.example);
  }
  return lists;
}

int show_transforms(const Flags& flags, Console& console) {
  const std::shared_ptr<const data::Dataset> pair = two_samples(flags);
  std::vector<draw::Tile> tiles{{transformed(pair, "none", flags, 0), "none"}};
  Json list = Json::array();
  int64_t epoch = 0;
  for (const std::string& augment : lists_of(flags)) {
    tiles.push_back({transformed(pair, augment, flags, epoch), augment});
    list.push_back(augment);
    if (!flags.augment.empty()) ++epoch;
  }
  encode_png(flags.out, draw::grid(tiles));
  console.document({{"sample", pair->name(0)}, {"transforms", list}, {"out", flags.out}});
  console.result(flags.out + "\n");
  return 0;
}

}  // namespace

void add_data_transforms(Commands& commands, Command group) {
  const auto flags = std::make_shared<Flags>();
  Command command =
      commands.add(group, "transforms", "Draw the results of transforms on one of its images",
                   [flags](Console& console) { return show_transforms(*flags, console); });
  command.text("DATA", flags->data, "Data set: " + data::usage());
  command.text("--augment", flags->augment,
               "A list as in train, applied --count times; by default each transform once");
  command.count("--count", flags->count, "How many times to apply --augment", 1, 1000);
  command.text("--out", flags->out, "The PNG to write", "FILE").required();
  command.count("--seed", flags->seed, "Seed of the choice of image and of the transforms", 0,
                9007199254740991);
}

}  // namespace fovea::cli
