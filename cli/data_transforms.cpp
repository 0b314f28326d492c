#include <algorithm>
#include <memory>

#include "augmented.h"
#include "commands.h"
#include "data_flags.h"
#include "fovea/data/frames.h"
#include "fovea/draw/grid.h"
#include "fovea/images/codec.h"

namespace fovea::cli {
namespace {

struct DataTransformsFlags {
  DataFlags data;
  std::string augment, out;
  int64_t count = 16, seed = 1;
};

std::shared_ptr<const data::Dataset> two_samples(const DataTransformsFlags& flags) {
  const std::shared_ptr<const data::Dataset> train = flags.data.open().train;
  std::vector<int64_t> order =
      data::permutation(train->size(), static_cast<uint64_t>(flags.seed), "samples");
  if (order.empty()) throw Error(ErrorKind::usage, "data transforms: the data set is empty");
  order.resize(2, order[0]);
  return std::make_shared<data::Subset>(train, std::move(order));
}

/// Whether a transform is for such samples.
bool fits(const data::TransformEntry& row, const data::Dataset& samples) {
  const data::AnyTransform made = data::make_transform(parse_choice(row.example));
  const data::Targets& targets = samples.targets();
  const std::shared_ptr<const data::Modality> modality = samples.modality();
  try {
    if (const auto* step = std::get_if<std::shared_ptr<const data::Transform>>(&made)) {
      const bool clips = modality && data::is_clip(modality->input());
      if (data::chooses_stretch(**step)) return samples.has_stretches();
      if (row.numbers != (modality && !clips) || (clips && (*step)->frames())) return false;
      if (modality) (void)data::steps_for(modality->input(), {*step})[0]->output(modality->input());
      (void)(*step)->targets(targets);
    } else {
      const auto& mixing = std::get<std::shared_ptr<const data::BatchTransform>>(made);
      if (modality) mixing->check_input({DType::f32, data::net_shape(modality->input())});
      (void)mixing->output(targets);
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// What to draw besides the image itself: the example of each transform that fits, or one list
/// repeatedly.
std::vector<std::string> lists_of(const DataTransformsFlags& flags, const data::Dataset& samples) {
  if (!flags.augment.empty()) {
    return std::vector<std::string>(static_cast<size_t>(flags.count), flags.augment);
  }
  std::vector<std::string> lists;
  for (const data::TransformEntry& row : data::transforms()) {
    if (!row.example.empty() && fits(row, samples)) lists.push_back(row.example);
  }
  return lists;
}

int show_transforms(const DataTransformsFlags& flags, Console& console) {
  const std::shared_ptr<const data::Dataset> pair = two_samples(flags);
  // The first of the two; the other one is for mixing.
  const auto transformed = [&](const std::string& augment, int64_t epoch) {
    return augmented(pair, augment, static_cast<uint64_t>(flags.seed), epoch)[0];
  };
  std::vector<draw::Tile> tiles{{transformed("none", 0), "none"}};
  Json list = Json::array();
  int64_t epoch = 0;
  for (const std::string& augment : lists_of(flags, *pair)) {
    tiles.push_back({transformed(augment, epoch), augment});
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
  const auto flags = std::make_shared<DataTransformsFlags>();
  Command command =
      commands.add(group, "transforms", "Draw the results of transforms on one image of a data set",
                   [flags](Console& console) { return show_transforms(*flags, console); });
  flags->data.add(command);
  command.text("--augment", flags->augment,
               "A list as in train, applied --count times; by default each transform once");
  command.count("--count", flags->count, "How many times to apply --augment", 1, 1000);
  command.text("--out", flags->out, "The PNG to write", "FILE").required();
  command.count("--seed", flags->seed, "Seed of the choice of image and of the transforms", 0,
                9007199254740991);
}

}  // namespace fovea::cli
