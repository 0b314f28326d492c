#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/bytes.h"
#include "fovea/formats/pytorch.h"
#include "fovea/formats/pytorch_types.h"
#include "fovea/formats/zip.h"

namespace fovea {
namespace {

/// Writes a pickle of protocol 2, opcode by opcode.
class PickleWriter {
 public:
  std::string take() {
    text_ += '.';
    return std::move(text_);
  }
  void protocol() { text_ += "\x80\x02"; }
  void mark() { text_ += '('; }
  void tuple() { text_ += 't'; }  // of all since the mark
  void set_items() { text_ += 'u'; }
  void call() { text_ += 'R'; }  // of a global with a tuple
  void reference() { text_ += 'Q'; }
  void no() { text_ += '\x89'; }

  /// "torch._utils._rebuild_tensor_v2": the module ends at the last dot.
  void global(std::string_view name) {
    const size_t dot = name.rfind('.');
    text_ += 'c';
    text_.append(name, 0, dot).append("\n").append(name.substr(dot + 1)).append("\n");
  }

  void text(std::string_view value) {
    text_ += 'X';
    append_little_endian(text_, static_cast<uint32_t>(value.size()));
    text_ += value;
  }

  void integer(int64_t value) {
    if (value >= 0 && value < int64_t{1} << 31) {
      text_ += 'J';
      append_little_endian(text_, static_cast<uint32_t>(value));
    } else {
      text_ += "\x8a\x08";
      append_little_endian(text_, static_cast<uint64_t>(value));
    }
  }

  void integers(const std::vector<int64_t>& values) {
    mark();
    for (const int64_t value : values) integer(value);
    tuple();
  }

  void empty_dict() {
    global("collections.OrderedDict");
    text_ += ')';
    call();
  }

 private:
  std::string text_;
};

std::string_view storage_of(DType dtype) {
  return std::find_if(pytorch_types.begin(), pytorch_types.end(),
                      [&](const PytorchType& type) { return type.dtype == dtype; })
      ->storage;
}

std::vector<int64_t> row_major_strides(const Shape& shape) {
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()), 1);
  for (size_t i = strides.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<int64_t>(shape[static_cast<int>(i)], 1);
  }
  return strides;
}

/// _rebuild_tensor_v2(storage, offset, size, strides, needs no gradient, no hooks)
void append_tensor(PickleWriter& pickle, const std::string& key, const Array& array) {
  pickle.global("torch._utils._rebuild_tensor_v2");
  pickle.mark();
  pickle.mark();
  pickle.text("storage");
  pickle.global(storage_of(array.dtype()));
  pickle.text(key);
  pickle.text("cpu");
  pickle.integer(array.numel());
  pickle.tuple();
  pickle.reference();
  pickle.integer(0);
  pickle.integers({array.shape().begin(), array.shape().end()});
  pickle.integers(row_major_strides(array.shape()));
  pickle.no();
  pickle.empty_dict();
  pickle.tuple();
  pickle.call();
}

std::string state_dict(const std::vector<std::pair<std::string, Array>>& tensors) {
  PickleWriter pickle;
  std::set<std::string_view> names;
  pickle.protocol();
  pickle.empty_dict();
  pickle.mark();
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, array] = tensors[i];
    if (!names.insert(name).second) {
      throw Error(ErrorKind::usage,
                  fmt::format("pytorch: two tensors cannot be called \"{}\"", name));
    }
    if (!is_utf8(name)) {
      throw Error(ErrorKind::usage,
                  fmt::format("pytorch: the name \"{}\" is not UTF-8", printable(name)));
    }
    pickle.text(name);
    append_tensor(pickle, std::to_string(i), array);
  }
  pickle.set_items();
  return pickle.take();
}

}  // namespace

void write_pytorch(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors) {
  const std::string pickle = state_dict(tensors);
  std::vector<std::pair<std::string, std::span<const std::byte>>> files;
  const auto add = [&](const std::string& name, std::span<const std::byte> data) {
    files.emplace_back("archive/" + name, data);
  };
  const std::string_view order = "little", version = "3\n";
  add("data.pkl", std::as_bytes(std::span(pickle)));
  add("byteorder", std::as_bytes(std::span(order)));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Array& array = tensors[i].second;
    add(fmt::format("data/{}", i), {array.raw(), array.bytes()});
  }
  add("version", std::as_bytes(std::span(version)));
  const std::vector<ZipEntry> entries = [&] {
    std::vector<ZipEntry> views;
    for (const auto& [name, data] : files) views.push_back({name, data});
    return views;
  }();
  replace_file(path, [&](const Sink& sink) { write_zip(sink, entries); });
}

}  // namespace fovea
