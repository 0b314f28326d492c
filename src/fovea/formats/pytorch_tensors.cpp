#include "fovea/formats/pytorch_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/pytorch.h"
#include "fovea/formats/pytorch_types.h"

namespace fovea {
namespace {

using pickle::Document;
using pickle::Kind;
using pickle::Value;

constexpr std::string_view rebuild_tensor = "torch._utils._rebuild_tensor";  // and _v2
constexpr std::string_view rebuild_tensor_v3 = "torch._utils._rebuild_tensor_v3";
constexpr std::string_view rebuild_parameter = "torch._utils._rebuild_parameter";
constexpr std::string_view rebuild_with_state = "torch._utils._rebuild_parameter_with_state";
constexpr std::string_view rebuild_from_type = "torch._tensor._rebuild_from_type_v2";

/// The globals that build a tensor. Tensors of the last two are refused, with their names.
constexpr std::string_view makers[] = {
    rebuild_tensor,
    "torch._utils._rebuild_tensor_v2",
    rebuild_tensor_v3,
    rebuild_parameter,
    rebuild_with_state,
    rebuild_from_type,
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_tensor",
};

/// What else checkpoints contain.
constexpr std::string_view bystanders[] = {
    "torch.Size",
    "torch.device",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
    "torch.per_tensor_affine",
    "torch.per_channel_affine",
    "torch.serialization._get_layout",
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "_codecs.encode",
};

const PytorchType* type_with(std::string_view PytorchType::*field, std::string_view global) {
  const auto* found = std::find_if(pytorch_types.begin(), pytorch_types.end(),
                                   [&](const PytorchType& type) { return type.*field == global; });
  return found == pytorch_types.end() ? nullptr : found;
}

}  // namespace

/// The part of a storage that forms a tensor: elements `strides` apart, from `offset` on.
struct TensorReader::View {
  DType dtype;
  Shape shape;
  std::vector<int64_t> strides;
  int64_t offset;
  std::span<const std::byte> storage;

  bool is_row_major() const {
    int64_t expected = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      if (shape[i] != 1 && strides[static_cast<size_t>(i)] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }
};

namespace {

/// Copies elements of `size` bytes that are `strides` apart to `to`, row-major; returns the end.
template <size_t size>
std::byte* gather(const std::byte* from, std::byte* to, std::span<const int64_t> sizes,
                  std::span<const int64_t> strides) {
  const int64_t step = strides[0] * static_cast<int64_t>(size);
  for (int64_t i = 0; i < sizes[0]; ++i) {
    if (sizes.size() == 1) {
      std::memcpy(to, from + i * step, size);
      to += size;
    } else {
      to = gather<size>(from + i * step, to, sizes.subspan(1), strides.subspan(1));
    }
  }
  return to;
}

void gather(const std::byte* from, Array& to, std::span<const int64_t> strides) {
  const std::span<const int64_t> sizes = to.shape().dims();
  switch (size_of(to.dtype())) {
    case 1:
      gather<1>(from, to.raw(), sizes, strides);
      break;
    case 2:
      gather<2>(from, to.raw(), sizes, strides);
      break;
    case 4:
      gather<4>(from, to.raw(), sizes, strides);
      break;
    default:
      gather<8>(from, to.raw(), sizes, strides);
  }
}

}  // namespace

std::span<const std::string_view> pytorch_globals() {
  static const std::vector<std::string_view> all = [] {
    std::vector<std::string_view> globals(std::begin(makers), std::end(makers));
    globals.insert(globals.end(), std::begin(bystanders), std::end(bystanders));
    globals.push_back(untyped_storage);
    for (const PytorchType& type : pytorch_types) {
      globals.push_back(type.name);
      if (!type.storage.empty()) globals.push_back(type.storage);
    }
    return globals;
  }();
  return all;
}

StorageClaim storage_claim(const Document& pickle, const Value& reference,
                           const std::string& file) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::model, fmt::format("{}: a storage in its pickle {}", file, what));
  };
  const std::span<const Value> id = pickle.items(pickle.items(reference)[0]);
  if (id.size() < 5 || id.size() > 6 || id[0].text != "storage" || id[1].kind != Kind::global ||
      id[2].kind != Kind::text || id[4].kind != Kind::integer) {
    fail("is not described as PyTorch describes it");
  }
  if (id.size() == 6 && id[5].kind != Kind::none) {
    fail("is a view of another, as PyTorch before 0.4 wrote them");
  }
  const std::string_view global = id[1].text;
  const PytorchType* type = type_with(&PytorchType::storage, global);
  if (type == nullptr && global != untyped_storage) {
    fail(fmt::format("is of {}, which is not a storage", global));
  }
  const auto size = type == nullptr ? int64_t{1} : static_cast<int64_t>(type->size);
  int64_t bytes = 0;
  if (id[4].integer < 0 || __builtin_mul_overflow(id[4].integer, size, &bytes)) {
    fail(fmt::format("would have {} elements", id[4].integer));
  }
  return {id[2].text, global, static_cast<uint64_t>(id[4].integer), static_cast<uint64_t>(bytes)};
}

bool is_tensor(const Document& pickle, const Value& value) {
  return value.kind == Kind::object &&
         std::find(std::begin(makers), std::end(makers), pickle.compound(value).made_by) !=
             std::end(makers);
}

TensorReader::TensorReader(const Document& pickle, const Storages& storages, const FileBytes& file,
                           const std::string& name)
    : pickle_(pickle),
      storages_(storages),
      owner_(file.owner),
      file_(name),
      budget_(largest_pytorch_surplus +
              largest_pytorch_growth * static_cast<int64_t>(file.bytes.size())) {}

Array TensorReader::read(std::string_view tensor, const Value& value) {
  tensor_ = printable(tensor);
  return read(pickle_.compound(value).made_by, pickle_.arguments(value));
}

Array TensorReader::read(std::string_view maker, std::span<const Value> arguments) {
  const auto wanted = [&](size_t i, Kind kind) -> const Value& {
    if (i >= arguments.size() || arguments[i].kind != kind) {
      fail("is not described as PyTorch describes it");
    }
    return arguments[i];
  };
  if (maker == rebuild_parameter || maker == rebuild_with_state) {
    const Value& inner = wanted(0, Kind::object);
    return read(pickle_.compound(inner).made_by, pickle_.arguments(inner));
  }
  if (maker == rebuild_from_type) {
    return read(wanted(0, Kind::global).text, pickle_.items(wanted(2, Kind::tuple)));
  }
  if (!maker.starts_with(rebuild_tensor)) {
    throw error(fmt::format("is made by {}, which is not supported", maker))
        .with("try", "a dense tensor of plain numbers: tensor.dequantize(), tensor.to_dense()");
  }
  const StorageClaim claim = storage_claim(pickle_, wanted(0, Kind::reference), file_);
  const PytorchType* type = maker == rebuild_tensor_v3
                                ? type_with(&PytorchType::name, wanted(6, Kind::global).text)
                                : type_with(&PytorchType::storage, claim.type);
  if (type == nullptr) fail("has no dtype");
  if (!type->dtype) {
    throw error(fmt::format("is of {}, which is not supported", type->name))
        .with("read",
              "float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool");
  }
  const size_t metadata = maker == rebuild_tensor_v3 ? 7 : 6;
  if (arguments.size() > metadata && !pickle_.items(arguments[metadata]).empty()) {
    const Value& bit = pickle_.items(arguments[metadata])[0];  // "neg", "conj"
    throw error(fmt::format("has the bit \"{}\" set, which is not supported", printable(bit.text)))
        .with("try", "tensor.resolve_neg() and tensor.resolve_conj() before it is saved");
  }
  const View view{*type->dtype, Shape(sizes(wanted(2, Kind::tuple))), sizes(wanted(3, Kind::tuple)),
                  wanted(1, Kind::integer).integer, storage(claim)};
  check_place(view);
  return array(view);
}

std::vector<int64_t> TensorReader::sizes(const Value& tuple) const {
  std::vector<int64_t> sizes;
  for (const Value& value : pickle_.items(tuple)) {
    if (value.kind != Kind::integer || value.integer < 0) {
      fail("has a size or stride that is not a number of at least 0");
    }
    sizes.push_back(value.integer);
  }
  if (sizes.size() > Shape::max_rank) {
    fail(fmt::format("has {} dimensions, at most {} are read", sizes.size(), Shape::max_rank));
  }
  return sizes;
}

std::span<const std::byte> TensorReader::storage(const StorageClaim& claim) const {
  const auto found = storages_.find(claim.key);
  const std::string shown = fmt::format("storage \"{}\"", printable(claim.key));
  if (found == storages_.end()) fail(fmt::format("is in {}, which the file does not have", shown));
  if (found->second.size() != claim.bytes) {
    fail(fmt::format("is in {} of {} bytes, the file has {} of them", shown, claim.bytes,
                     found->second.size()));
  }
  return found->second;
}

/// Throws unless all elements lie in the storage and fit the memory budget.
void TensorReader::check_place(const View& view) {
  const int rank = view.shape.rank();
  if (view.strides.size() != static_cast<size_t>(rank))
    fail("has more or fewer strides than sizes");
  const auto size = static_cast<int64_t>(size_of(view.dtype));
  int64_t last = view.offset, bytes = size;
  bool overflow = view.offset < 0, empty = false;
  for (int i = 0; i < rank; ++i) {
    int64_t reach = 0;
    empty |= view.shape[i] == 0;
    overflow |=
        __builtin_mul_overflow(view.shape[i] - 1, view.strides[static_cast<size_t>(i)], &reach) ||
        __builtin_add_overflow(last, reach, &last) ||
        __builtin_mul_overflow(bytes, view.shape[i], &bytes);
  }
  const int64_t elements = static_cast<int64_t>(view.storage.size()) / size;
  const auto located = [&](const std::string& what) {
    return error(what)
        .with("shape", to_string(view.shape))
        .with("strides", to_string(Shape(view.strides)))
        .with("offset", std::to_string(view.offset));
  };
  if (empty) return;
  if (overflow || last >= elements) {
    throw located(fmt::format("reaches beyond its storage of {} elements", elements));
  }
  if (bytes > budget_) throw located("is larger than a file of this size can justify");
  budget_ -= bytes;
}

Array TensorReader::array(const View& view) const {
  if (view.shape.numel() == 0) return Array(view.dtype, view.shape);
  const std::byte* data =
      view.storage.data() + static_cast<size_t>(view.offset) * size_of(view.dtype);
  const bool aligned = reinterpret_cast<uintptr_t>(data) % size_of(view.dtype) == 0;
  if (view.is_row_major() && aligned) {
    return Array(view.dtype, view.shape, const_cast<std::byte*>(data), owner_);
  }
  Array copy(view.dtype, view.shape);
  if (view.is_row_major()) {
    std::memcpy(copy.raw(), data, copy.bytes());
  } else {
    gather(data, copy, view.strides);
  }
  return copy;
}

Error TensorReader::error(const std::string& what) const {
  return {ErrorKind::model, fmt::format("{}: tensor \"{}\" {}", file_, tensor_, what)};
}

}  // namespace fovea
