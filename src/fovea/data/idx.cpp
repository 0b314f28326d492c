#include "fovea/data/idx.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/shape.h"
#include "fovea/data/data_file.h"

namespace fovea::data {
namespace {

constexpr uint32_t images_magic = 2051;
constexpr uint32_t labels_magic = 2049;

// A header with more than these counts as damaged: no data set in this format comes near.
constexpr int64_t max_side = 16384;
constexpr int64_t max_bytes = int64_t{1} << 34;

std::string magic_text(uint32_t magic) {
  std::string text = "magic number " + std::to_string(magic);
  if (magic == images_magic) text += " (images)";
  if (magic == labels_magic) text += " (labels)";
  return text;
}

uint32_t read_u32(DataFile& file, int64_t header) {
  std::array<std::byte, 4> bytes{};
  file.read(bytes, header, "the header");
  uint32_t value = 0;
  for (std::byte b : bytes) value = (value << 8) | static_cast<uint32_t>(b);
  return value;
}

void check_magic(DataFile& file, uint32_t magic, int64_t header) {
  const uint32_t found = read_u32(file, header);
  if (found != magic) {
    throw file.error("has the wrong magic number", 0, magic_text(magic), magic_text(found));
  }
}

/// "train-images-idx3-ubyte" as "train-images.idx3-ubyte".
std::string dotted(std::string name) {
  const size_t at = name.rfind("-idx");
  if (at != std::string::npos) name[at] = '.';
  return name;
}

/// Rows become columns.
Array transposed(const Array& images) {
  const int64_t count = images.dim(0), height = images.dim(1), width = images.dim(2);
  Array result(DType::u8, {count, width, height, 1});
  const uint8_t* from = images.data<uint8_t>().data();
  uint8_t* to = result.data<uint8_t>().data();
  for (int64_t i = 0; i < count; ++i, from += height * width, to += height * width) {
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) to[x * height + y] = from[y * width + x];
    }
  }
  return result;
}

std::filesystem::path existing(const std::filesystem::path& folder, const std::string& name) {
  if (const auto path = find_idx_file(folder, name)) return *path;
  throw Error(ErrorKind::data, "IDX file is missing")
      .with("file", (folder / name).string())
      .with("expected", fmt::format("that file, or {}, either also with .gz", dotted(name)));
}

}  // namespace

Array read_idx_images(const std::filesystem::path& path) {
  constexpr int64_t header = 16;
  DataFile file(path, "IDX file");
  check_magic(file, images_magic, header);
  const int64_t count = read_u32(file, header);
  const int64_t height = read_u32(file, header);
  const int64_t width = read_u32(file, header);
  const std::string meaning =
      std::to_string(count) + " images of " + std::to_string(height) + "x" + std::to_string(width);
  // 2^32 images of 2^28 pixels stay below 2^62: the product cannot overflow.
  const bool sides = height >= 1 && height <= max_side && width >= 1 && width <= max_side;
  if (count < 1 || !sides || count * (height * width) > max_bytes) {
    throw file.error("has implausible sizes", 4,
                     "at least 1 image, sides of 1 to " + std::to_string(max_side) + ", at most " +
                         std::to_string(max_bytes >> 30) + " GiB in all",
                     meaning);
  }
  file.expect_size(header + count * height * width, meaning);
  Array images(DType::u8, {count, height, width, 1});
  file.read({images.raw(), images.bytes()}, header + images.numel(), meaning);
  file.expect_end(meaning);
  return images;
}

Array read_idx_labels(const std::filesystem::path& path, int64_t classes, int64_t first) {
  constexpr int64_t header = 8;
  DataFile file(path, "IDX file");
  check_magic(file, labels_magic, header);
  const int64_t count = read_u32(file, header);
  const std::string meaning = std::to_string(count) + " labels";
  if (count < 1) throw file.error("has no labels", 4, "at least 1 label", meaning);
  file.expect_size(header + count, meaning);
  Array packed(DType::u8, {count});
  file.read({packed.raw(), packed.bytes()}, header + count, meaning);
  file.expect_end(meaning);
  Array labels(DType::i64, {count});
  for (int64_t i = 0; i < count; ++i) {
    const int64_t label = packed.data<uint8_t>()[static_cast<size_t>(i)];
    if (label < first || label >= first + classes) {
      throw file.error("has a label out of range", header + i,
                       std::to_string(first) + " to " + std::to_string(first + classes - 1),
                       "label " + std::to_string(label) + " at index " + std::to_string(i));
    }
    labels.data<int64_t>()[static_cast<size_t>(i)] = label - first;
  }
  return labels;
}

std::shared_ptr<const Dataset> open_idx(const std::filesystem::path& images,
                                        const std::filesystem::path& labels,
                                        const std::vector<std::string>& class_names,
                                        const IdxFormat& format) {
  Array pixels = read_idx_images(images);
  if (format.transposed) pixels = transposed(pixels);
  Array classes = read_idx_labels(labels, std::ssize(class_names), format.first_label);
  if (pixels.dim(0) != classes.dim(0)) {
    throw Error(ErrorKind::data, "IDX files do not belong together: their counts differ")
        .with("images", fmt::format("{} in {}", pixels.dim(0), images.string()))
        .with("labels", fmt::format("{} in {}", classes.dim(0), labels.string()))
        .with("try", "fresh copies of both files");
  }
  return std::make_shared<ArrayDataset>(std::move(pixels), std::move(classes),
                                        class_targets(class_names));
}

std::optional<std::filesystem::path> find_idx_file(const std::filesystem::path& folder,
                                                   const std::string& name) {
  for (const std::string& spelling : {name, dotted(name)}) {
    for (const char* suffix : {"", ".gz"}) {
      const std::filesystem::path path = folder / (spelling + suffix);
      if (exists(path, ErrorKind::data)) return path;
    }
  }
  return std::nullopt;
}

DataSets open_idx_folder(const std::filesystem::path& folder, std::string name,
                         const std::vector<std::string>& class_names, const IdxFormat& format) {
  const auto split = [&](const std::string& prefix) {
    return open_idx(existing(folder, prefix + "-images-idx3-ubyte"),
                    existing(folder, prefix + "-labels-idx1-ubyte"), class_names, format);
  };
  DataSets sets{std::move(name), split(format.train), split(format.test)};
  const auto sides = [](const Dataset& set) {
    const Shape image = net_shape(input_type(set));
    return std::to_string(image[1]) + "x" + std::to_string(image[2]);
  };
  if (sides(*sets.train) != sides(*sets.test)) {
    throw Error(ErrorKind::data, "IDX files do not belong together: their image sizes differ")
        .with("folder", folder.string())
        .with(format.train, sides(*sets.train))
        .with(format.test, sides(*sets.test));
  }
  return sets;
}

}  // namespace fovea::data
