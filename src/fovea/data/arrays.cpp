#include "fovea/data/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/npy.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t max_classes = 1'000'000;

Error bad(const fs::path& file, const std::string& expected, const Array& found) {
  return Error(ErrorKind::data, fmt::format("{}: {}", file.string(), expected))
      .with("found", describe(found));
}

bool is_number(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

Array read_inputs(const fs::path& file) {
  const Array x = read_npy(file);
  const int rank = x.shape().rank();
  if (is_pixel(x.dtype()) && rank == 3) return x.reshaped(x.shape().concat({1}));
  if (is_pixel(x.dtype()) && rank == 4) return x;
  if (is_number(x.dtype()) && rank >= 2 && rank <= 5) return x.astype(DType::f32);
  throw bad(file, "inputs must be images u8 or u16 [N, H, W, C] or numbers f32[N, C, ...]", x);
}

/// Classes as i64[N], numbers as f32[N, K].
Array read_targets(const fs::path& file) {
  const Array y = read_npy(file);
  const int rank = y.shape().rank();
  if (is_number(y.dtype()) && (rank == 1 || rank == 2)) {
    for (int64_t i = 0; i < y.numel(); ++i) {
      if (!std::isfinite(y.at(i))) {
        throw bad(file, "number " + std::to_string(i) + " is not finite", y);
      }
    }
    return (rank == 1 ? y.reshaped({y.dim(0), 1}) : y).astype(DType::f32);
  }
  if (is_number(y.dtype()) || rank != 1 || y.dtype() == DType::f16) {
    throw bad(file, "targets must be classes, integers [N], or numbers f32[N] or f32[N, K]", y);
  }
  Array classes = y.astype(DType::i64);
  for (const int64_t label : classes.data<int64_t>()) {
    if (label >= 0 && label < max_classes) continue;
    throw bad(file, "a class must be from 0 to 999999, not " + std::to_string(label), y);
  }
  return classes;
}

int64_t count_names(const Array& targets) {
  if (targets.dtype() == DType::f32) return targets.dim(1);
  const std::span<const int64_t> labels = targets.data<int64_t>();
  return labels.empty() ? 0 : *std::ranges::max_element(labels) + 1;
}

/// The two files of a split, and what is in them.
struct Part {
  fs::path x_file, y_file;
  Array x, y;
};

/// A split by either spelling: x.npy or train_x.npy, x_test.npy or test_x.npy; none if val or test
/// is not there. Errors: data, also for half a pair.
std::optional<Part> find_part(const fs::path& folder, const std::string& split) {
  const auto spelled = [&](const std::string& letter) {
    const std::string after = split == "train" ? letter : letter + "_" + split;
    return std::pair{folder / (after + ".npy"), folder / (split + "_" + letter + ".npy")};
  };
  const auto [x, other_x] = spelled("x");
  const auto [y, other_y] = spelled("y");
  Part part{.x_file = x, .y_file = y, .x = {}, .y = {}};
  if (exists(other_x, ErrorKind::data) || exists(other_y, ErrorKind::data)) {
    part.x_file = other_x;
    part.y_file = other_y;
  } else if (split != "train" && !exists(x, ErrorKind::data) && !exists(y, ErrorKind::data)) {
    return std::nullopt;
  }
  part.x = read_inputs(part.x_file);
  part.y = read_targets(part.y_file);
  return part;
}

/// Errors: data when the parts of a data set have different inputs, or targets of different kinds.
void check_same_kind(const Part& part, const Part& train) {
  if (part.y.dtype() != train.y.dtype()) {
    throw bad(part.y_file, "targets differ in kind from " + train.y_file.filename().string(),
              part.y);
  }
  if (part.x.dtype() == train.x.dtype() && part.x.shape().slice(1) == train.x.shape().slice(1))
    return;
  const std::string name = train.x_file.filename().string();
  throw bad(part.x_file, "inputs differ in type from " + name, part.x)
      .with(name, describe(train.x));
}

std::shared_ptr<const Dataset> joined(const Part& part, const Targets& meaning) {
  const auto& [x_file, y_file, x, y] = part;
  if (x.dim(0) == y.dim(0) && x.dim(0) > 0 && y.shape().slice(1) == meaning.type.shape)
    return std::make_shared<ArrayDataset>(x, y, meaning);
  throw Error(ErrorKind::data, fmt::format("{} does not fit {}", y_file.string(), x_file.string()))
      .with("inputs", describe(x))
      .with("targets", describe(y));
}

}  // namespace

std::vector<std::string> class_names(const fs::path& folder, int64_t count) {
  std::vector<std::string> names;
  const fs::path file = folder / "names.txt";
  if (!exists(file, ErrorKind::data)) {
    for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
    return names;
  }
  for (std::string& line : split(read_text(file, ErrorKind::data, size_t{16} << 20), '\n')) {
    if (line.ends_with('\r')) line.pop_back();
    names.push_back(printable(line));
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (std::ssize(names) >= count) return names;
  throw Error(ErrorKind::data, fmt::format("{} has too few names", file.string()))
      .with("expected", std::to_string(count))
      .with("found", std::to_string(names.size()));
}

DataSets open_arrays(const fs::path& folder) {
  const std::optional<Part> train = find_part(folder, "train"), val = find_part(folder, "val"),
                            test = find_part(folder, "test");
  const bool classes = train->y.dtype() == DType::i64;
  int64_t count = count_names(train->y);
  for (const auto* part : {&val, &test}) {
    if (!*part) continue;
    check_same_kind(**part, *train);
    if (classes) count = std::max(count, count_names((*part)->y));
  }
  const Targets meaning{.type = classes ? Type{DType::i64, Shape{}} : Type{DType::f32, {count}},
                        .names = class_names(folder, count)};
  DataSets sets{.name = "arrays", .train = joined(*train, meaning), .test = nullptr};
  if (val) sets.val = joined(*val, meaning);
  if (test) sets.test = joined(*test, meaning);
  if (!val && !test && sets.train->size() < 2)
    throw bad(train->x_file, "at least 2 samples are needed, one to test", train->x);
  return with_test_split(std::move(sets));
}

}  // namespace fovea::data
