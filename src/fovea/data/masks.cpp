#include "fovea/data/masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/parallel.h"
#include "fovea/core/text.h"
#include "fovea/data/csv.h"
#include "fovea/data/folder_index.h"
#include "fovea/data/image_files.h"
#include "fovea/images/codec.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int void_value = 255;
constexpr std::string_view ignored_name = "ignore";

Error bad_masks(const std::string& what) { return {ErrorKind::data, what}; }

std::string mask_layout() {
  return "DIR/images and DIR/masks with files of the same names, or both in DIR/train, val and "
         "test";
}

/// Which class a value of a mask is: a palette index or grey level, or a colour 0xRRGGBB.
struct Values {
  bool colors = false;
  std::map<uint32_t, uint8_t> stored;  ///< 1 + the class, or 0 if it does not count
};

std::string value_text(uint32_t value, bool color) {
  return color ? fmt::format("colour {},{},{}", value >> 16, value >> 8 & 255, value & 255)
               : fmt::format("value {}", value);
}

Image read_mask(const fs::path& path) {
  require_file(path, ErrorKind::data);
  return decode_stored_png(path);
}

/// The values of the pixels in a mask's file.
std::vector<uint32_t> values_in(const Image& mask) {
  std::vector<uint32_t> values;
  values.reserve(mask.pixels.size() / static_cast<size_t>(mask.channels));
  for (size_t i = 0; i < mask.pixels.size(); i += static_cast<size_t>(mask.channels)) {
    const uint8_t* p = mask.pixels.data() + i;
    values.push_back(mask.channels == 1 ? p[0] : uint32_t{p[0]} << 16 | uint32_t{p[1]} << 8 | p[2]);
  }
  return values;
}

/// Errors: data when the mask is of the other kind than `values`.
void check_kind(const fs::path& path, const Image& mask, const Values& values) {
  if ((mask.channels == 3) == values.colors) return;
  throw bad_masks(path.string() + (values.colors ? ": has no colours" : ": is a mask of colours"))
      .with("expected",
            values.colors ? "the colours in classes.csv" : "indices of a palette, or grey levels")
      .with("try", "classes.csv with the columns name,red,green,blue for masks of colours");
}

/// As a target: see is_mask.
Array as_target(const fs::path& path, const Image& mask, const Values& values) {
  check_kind(path, mask, values);
  Array target(DType::u8, {mask.height, mask.width, 1});
  const std::span<uint8_t> out = target.data<uint8_t>();
  const std::vector<uint32_t> in = values_in(mask);
  auto known = values.stored.end();
  for (size_t i = 0; i < in.size(); ++i) {
    if (known == values.stored.end() || known->first != in[i]) known = values.stored.find(in[i]);
    if (known == values.stored.end()) {
      const auto at = static_cast<int64_t>(i);
      throw bad_masks(fmt::format("{}: has the {}, which is no class", path.string(),
                                  value_text(in[i], values.colors)))
          .with("pixel", fmt::format("column {}, row {}", at % mask.width, at / mask.width))
          .with("try", "a row for it in classes.csv");
    }
    out[i] = known->second;
  }
  return target;
}

/// A number from 0 to 255 in a cell.
uint32_t byte_in(const CsvTable& table, const fs::path& file, size_t row, size_t column) {
  const std::string& text = table.rows[row][column];
  const std::optional<double> number = parse_number(text);
  if (number && *number >= 0 && *number <= 255 && *number == static_cast<int>(*number))
    return static_cast<uint32_t>(*number);
  throw bad_masks(fmt::format("{}: line {}: {} is \"{}\"; an integer from 0 to 255 is expected",
                              file.string(), table.lines[row], table.columns[column],
                              printable(text)));
}

/// Reads classes.csv.
std::pair<std::vector<std::string>, Values> read_classes(const fs::path& file) {
  const CsvTable table = read_csv(file);
  const auto name = table.find("name"), value = table.find("value"), red = table.find("red"),
             green = table.find("green"), blue = table.find("blue");
  Values values{.colors = red && green && blue, .stored = {}};
  if (!name || values.colors == value.has_value()) {
    throw bad_masks(file.string() + ": its columns are not those of classes")
        .with("found", printable(join(table.columns)))
        .with("expected", "name,value or name,red,green,blue");
  }
  std::vector<std::string> names;
  for (size_t r = 0; r < table.rows.size(); ++r) {
    const auto byte = [&](size_t column) { return byte_in(table, file, r, column); };
    const uint32_t key =
        values.colors ? byte(*red) << 16 | byte(*green) << 8 | byte(*blue) : byte(*value);
    const std::string& own = table.rows[r][*name];
    auto found = std::ranges::find(names, own);
    if (own != ignored_name && found == names.end()) found = names.insert(found, own);
    const auto stored = own == ignored_name ? 0 : found - names.begin() + 1;
    if (own.empty() || stored > most_mask_classes ||
        !values.stored.emplace(key, static_cast<uint8_t>(stored)).second) {
      throw bad_masks(
          fmt::format("{}: line {}: {}", file.string(), table.lines[r],
                      own.empty() ? "a class has no name"
                      : stored > most_mask_classes
                          ? "more than 255 classes"
                          : fmt::format("the {} occurs again", value_text(key, values.colors))));
    }
  }
  if (names.empty()) throw bad_masks(file.string() + ": has no class");
  return {names, values};
}

/// The images of one split and their masks, relative to the folder.
struct MaskSplit {
  fs::path folder;
  std::vector<std::string> images, masks;
};

std::string listed(const std::vector<std::string>& names) {
  return names.size() == 1 ? printable(names[0])
                           : fmt::format("{}, such as {}", names.size(), printable(names[0]));
}

MaskSplit read_mask_split(const fs::path& folder) {
  MaskSplit split{.folder = folder, .images = {}, .masks = {}};
  FolderIndex index(folder);
  std::map<std::string, std::string> masks;  // by name without suffix
  for (const auto& [name, is_folder] : index.list(folder / "masks")) {
    if (is_folder || !is_image_name(name)) continue;
    if (!masks.emplace(fs::path(name).stem().string(), name).second)
      throw bad_masks((folder / "masks" / name).string() + ": there is another mask of this name");
  }
  std::vector<std::string> without;
  std::map<std::string, std::string> images;
  for (const auto& [name, is_folder] : index.list(folder / "images")) {
    if (is_folder || !is_image_name(name)) continue;
    const std::string stem = fs::path(name).stem().string();
    if (!images.emplace(stem, name).second)
      throw bad_masks((folder / "images" / name).string() +
                      ": there is another image of this name");
    if (!masks.contains(stem)) without.push_back(name);
  }
  if (!without.empty()) {
    throw bad_masks(folder.string() + ": images without a mask")
        .with("images", listed(without))
        .with("expected", mask_layout());
  }
  std::vector<std::string> left;
  for (const auto& [stem, name] : masks) {
    if (!images.contains(stem)) left.push_back(name);
  }
  if (!left.empty())
    throw bad_masks(folder.string() + ": masks without an image").with("masks", listed(left));
  for (const auto& [stem, name] : images) {
    split.images.push_back("images/" + name);
    split.masks.push_back("masks/" + masks.at(stem));
  }
  if (split.images.empty())
    throw bad_masks(folder.string() + ": no images").with("expected", mask_layout());
  return split;
}

class MaskedImages : public ImageFiles {
 public:
  MaskedImages(const MaskSplit& split, Values values, const Targets& meaning)
      : ImageFiles({.root = split.folder,
                    .paths = split.images,
                    .targets = Array(DType::u8, {std::ssize(split.images), 0, 0, 1})},
                   meaning),
        split_(split),
        values_(std::move(values)) {}

  /// At its own size, which is that of the mask.
  Sample scaled_sample(int64_t i, const MinimumSize&) const override {
    Sample sample = ImageFiles::scaled_sample(i, {});
    const Array& image = sample.input;
    if (sample.target.dim(0) == image.dim(0) && sample.target.dim(1) == image.dim(1)) return sample;
    throw bad_masks(mask(i).string() + ": is not of the size of its image")
        .with("mask", fmt::format("{}x{}", sample.target.dim(0), sample.target.dim(1)))
        .with("image", fmt::format("{}x{}: {}", image.dim(0), image.dim(1), name(i)));
  }
  Array target(int64_t i) const override { return as_target(mask(i), read_mask(mask(i)), values_); }
  std::string stamp() const override {
    return ImageFiles::stamp() + stamp_of(split_.folder, split_.masks);
  }

 private:
  fs::path mask(int64_t i) const { return split_.folder / split_.masks[static_cast<size_t>(i)]; }

  MaskSplit split_;
  Values values_;
};

/// The values in masks of indices or grey levels.
class SeenValues {
 public:
  /// Those of a mask that cannot be read are left out: its sample says why when it is read.
  void add(const MaskSplit& split) {
    parallel_for(std::ssize(split.masks), 8, [&](int64_t begin, int64_t end) {
      std::array<bool, 256> own{};
      for (int64_t i = begin; i < end; ++i) {
        const fs::path path = split.folder / split.masks[static_cast<size_t>(i)];
        try {
          const Image mask = read_mask(path);
          check_kind(path, mask, {});
          for (const uint8_t value : mask.pixels) own[value] = true;
        } catch (const Error& error) {
          if (error.kind() != ErrorKind::data) throw;
          const std::lock_guard lock(guard_);
          failures_.emplace(path, error);
        }
      }
      const std::lock_guard lock(guard_);
      for (size_t v = 0; v < own.size(); ++v) seen_[v] = seen_[v] || own[v];
    });
  }

  /// Errors: data when no mask could be read: that of the first.
  const std::array<bool, 256>& values() const {
    if (!failures_.empty() && std::ranges::count(seen_, true) == 0)
      throw Error(failures_.begin()->second);
    return seen_;
  }

 private:
  std::mutex guard_;
  std::array<bool, 256> seen_{};
  std::map<fs::path, Error> failures_;
};

/// The classes where no table names them: by the values in all masks.
std::pair<std::vector<std::string>, Values> find_classes(const std::vector<MaskSplit>& splits) {
  SeenValues all;
  for (const MaskSplit& split : splits) all.add(split);
  const std::array<bool, 256>& seen = all.values();
  std::vector<std::string> names;
  Values values;
  const auto largest = std::find(seen.rbegin() + 1, seen.rend(), true);
  const auto count = seen.rend() - largest;  // classes below 255
  for (int v = 0; v < count; ++v) {
    names.push_back(std::to_string(v));
    values.stored[static_cast<uint32_t>(v)] = static_cast<uint8_t>(v + 1);
  }
  values.stored[void_value] = 0;
  if (seen[void_value] && count == 1) {
    names.push_back(std::to_string(void_value));
    values.stored[void_value] = 2;
  }
  if (names.empty()) {
    throw bad_masks(splits[0].folder.string() + ": its masks have no class")
        .with("found", fmt::format("no value but {}, which does not count", void_value))
        .with("try", fmt::format("classes.csv, where {} is a class", void_value));
  }
  return {names, values};
}

bool has_split(const fs::path& folder) {
  return is_folder(folder / "images", ErrorKind::data) &&
         is_folder(folder / "masks", ErrorKind::data);
}

}  // namespace

DataSets open_masks(const fs::path& folder) {
  const bool divided = has_split(folder / "train");
  if (!divided && !has_split(folder)) {
    const bool there = is_folder(folder, ErrorKind::data);
    throw bad_masks(folder.string() + (there ? ": no folders images and masks"
                                             : " is not a folder, or does not exist"))
        .with("expected", mask_layout());
  }
  std::vector<MaskSplit> splits{read_mask_split(divided ? folder / "train" : folder)};
  std::map<std::string, size_t> places;
  for (const char* name : {"val", "test"}) {
    if (!divided || !has_split(folder / name)) continue;
    places[name] = splits.size();
    splits.push_back(read_mask_split(folder / name));
  }
  const fs::path table = folder / "classes.csv";
  const auto [names, values] =
      exists(table, ErrorKind::data) ? read_classes(table) : find_classes(splits);
  const Targets meaning = mask_targets(names);
  const auto part = [&](size_t i) {
    return std::make_shared<MaskedImages>(splits[i], values, meaning);
  };
  DataSets sets{.name = "masks", .train = part(0), .test = nullptr};
  if (places.contains("val")) sets.val = part(places.at("val"));
  if (places.contains("test")) sets.test = part(places.at("test"));
  return with_test_split(std::move(sets));
}

}  // namespace fovea::data
