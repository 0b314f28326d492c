#include <algorithm>
#include <memory>

#include "augmented.h"
#include "commands.h"
#include "fovea/data/registry.h"
#include "fovea/draw/grid.h"
#include "fovea/images/codec.h"

namespace fovea::cli {
namespace {

struct Flags {
  std::string data, augment, out;
  int64_t count = 16, seed = 1;
};

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
  // The first of the two; the other one is for mixing.
  const auto transformed = [&](const std::string& augment, int64_t epoch) {
    return augmented(pair, augment, static_cast<uint64_t>(flags.seed), epoch)[0];
  };
  std::vector<draw::Tile> tiles{{transformed("none", 0), "none"}};
  Json list = Json::array();
  int64_t epoch = 0;
  for (const std::string& augment : lists_of(flags)) {
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
