#include "fovea/data/arrays.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/npy.h"

namespace fovea::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t max_classes = 1'000'000;

Error bad(const fs::path& file, const std::string& expected, const Array& found) {
  return Error(ErrorKind::data, file.string() + ": " + expected).with("found", describe(found));
}

bool is_number(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

Array read_inputs(const fs::path& file) {
  const Array x = read_npy(file);
  const int rank = x.shape().rank();
  if (x.dtype() == DType::u8 && rank == 3) return x.reshaped(x.shape().concat({1}));
  if (x.dtype() == DType::u8 && rank == 4) return x;
  if (is_number(x.dtype()) && rank >= 2 && rank <= 5) return x.astype(DType::f32);
  throw bad(file, "inputs must be images u8[N, H, W, C] or numbers f32[N, C, ...]", x);
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

std::vector<std::string> names_of(const fs::path& folder, int64_t count) {
  std::vector<std::string> names;
  const fs::path file = folder / "names.txt";
  if (!fs::exists(file)) {
    for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
    return names;
  }
  for (std::string& line : split(read_text(file, ErrorKind::data, size_t{16} << 20), '\n')) {
    if (line.ends_with('\r')) line.pop_back();
    names.push_back(printable(line));
  }
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (std::ssize(names) >= count) return names;
  throw Error(ErrorKind::data, file.string() + " has too few names")
      .with("expected", std::to_string(count))
      .with("found", std::to_string(names.size()));
}

std::shared_ptr<const Dataset> joined(const fs::path& x_file, const Array& x,
                                      const fs::path& y_file, const Array& y,
                                      const Targets& meaning) {
  if (x.dim(0) == y.dim(0) && x.dim(0) > 0 && y.shape().slice(1) == meaning.type.shape)
    return std::make_shared<ArrayDataset>(x, y, meaning);
  throw Error(ErrorKind::data, y_file.string() + " does not fit " + x_file.string())
      .with("inputs", describe(x))
      .with("targets", describe(y));
}

}  // namespace

DataSets open_arrays(const fs::path& folder) {
  const fs::path x_file = folder / "x.npy", y_file = folder / "y.npy";
  const fs::path x_test = folder / "x_test.npy", y_test = folder / "y_test.npy";
  const Array x = read_inputs(x_file), y = read_targets(y_file);
  const bool tested = fs::exists(x_test) || fs::exists(y_test);
  const Array tx = tested ? read_inputs(x_test) : Array(), ty = tested ? read_targets(y_test) : y;
  if (ty.dtype() != y.dtype()) throw bad(y_test, "targets differ in kind from y.npy", ty);
  if (tested && (tx.dtype() != x.dtype() || tx.shape().slice(1) != x.shape().slice(1))) {
    throw bad(x_test, "inputs differ in type from x.npy", tx).with("x.npy", describe(x));
  }
  const int64_t count = std::max(count_names(y), y.dtype() == DType::i64 ? count_names(ty) : 0);
  const bool numbers = y.dtype() == DType::f32;
  const Targets meaning{.type = numbers ? Type{DType::f32, {count}} : Type{DType::i64, Shape{}},
                        .names = names_of(folder, count)};
  const auto all = joined(x_file, x, y_file, y, meaning);
  if (tested) return {"arrays", all, joined(x_test, tx, y_test, ty, meaning)};
  if (all->size() < 2) throw bad(x_file, "at least 2 samples are needed, one to test", x);
  const ValidationSplit parts = split_validation(all, 0.1, 0);
  return {"arrays", parts.train, parts.val};
}

}  // namespace fovea::data
