#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/data/dataset.h"

namespace fovea::data {

/// IDX, the format of MNIST and its relatives: a big-endian magic number, big-endian dimensions,
/// then unsigned bytes. Files may be compressed with gzip, detected by their contents, and are
/// decompressed only as far as the header allows. Errors of both readers: data, naming the file,
/// the offset in it (decompressed), and what was expected and found there: a file that is missing,
/// has the wrong magic number, is truncated or damaged, or has trailing bytes.

/// Images, magic 2051: u8[N, H, W, 1].
Array read_idx_images(const std::filesystem::path& path);

/// Labels, magic 2049: i64[N], each in [0, classes); in the file they count from `first`.
Array read_idx_labels(const std::filesystem::path& path, int64_t classes, int64_t first = 0);

/// What differs between MNIST and its relatives.
struct IdxFormat {
  std::string train = "train", test = "t10k";  ///< what the names of files begin with
  int64_t first_label = 0;                     ///< in the files
  bool transposed = false;                     ///< images are stored by columns
};

/// A split from its two files. Errors: data, as above and when the counts differ.
std::shared_ptr<const Dataset> open_idx(const std::filesystem::path& images,
                                        const std::filesystem::path& labels,
                                        const std::vector<std::string>& class_names,
                                        const IdxFormat& format = {});

/// The file of that name in `folder`, in whichever spelling exists: as it is or, like many copies,
/// with a dot before "idx" (train-images.idx3-ubyte), plain or with the suffix .gz.
std::optional<std::filesystem::path> find_idx_file(const std::filesystem::path& folder,
                                                   const std::string& name);

/// A data set in four files, each found by find_idx_file: train-images-idx3-ubyte,
/// train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, as MNIST calls them.
/// Errors: data, as above and when the images of the two splits have different sizes.
DataSets open_idx_folder(const std::filesystem::path& folder, std::string name,
                         const std::vector<std::string>& class_names, const IdxFormat& format = {});

}  // namespace fovea::data
