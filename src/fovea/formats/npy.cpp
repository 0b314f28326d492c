#include "fovea/formats/npy.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/formats/zip.h"

namespace fovea {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr size_t largest_header = 1 << 20;

constexpr std::array<std::pair<std::string_view, DType>, 10> dtype_names = {{
    {"<f8", DType::f64},
    {"<f4", DType::f32},
    {"<f2", DType::f16},
    {"<i8", DType::i64},
    {"<i4", DType::i32},
    {"<i2", DType::i16},
    {"|i1", DType::i8},
    {"|u1", DType::u8},
    {"<u2", DType::u16},
    {"|b1", DType::boolean},
}};

/// Reads the header's dictionary, a Python literal such as
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, and nothing else of Python.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, size_t offset, const std::string& file)
      : text_(text), offset_(offset), file_(file) {}

  void read() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      read_field(key);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) fail("bytes follow the dictionary");
    if (!dtype || !fortran || !shape) fail("descr, fortran_order or shape is missing");
  }

  std::optional<DType> dtype;
  std::optional<bool> fortran;
  std::optional<Shape> shape;

 private:
  void read_field(std::string_view key) {
    if (key == "descr" && !dtype) {
      dtype = read_dtype();
    } else if (key == "fortran_order" && !fortran) {
      fortran = read_truth();
    } else if (key == "shape" && !shape) {
      shape = read_shape();
    } else {
      fail(fmt::format("the key \"{}\" is unknown or occurs twice", key));
    }
  }

  DType read_dtype() {
    const std::string_view text = quoted();
    for (const auto& [known, value] : dtype_names) {
      if (text == known) return value;
    }
    const bool big = text.starts_with('>');
    throw Error(ErrorKind::data,
                fmt::format("{}{}{}) cannot be read", file_,
                            big ? ": its numbers are big-endian (" : ": its dtype (", text))
        .with("known", "<f8 <f4 <f2 <i8 <i4 <i2 |i1 |u1 |b1")
        .with("try", "save it with numpy.save(path, array.astype('<f4'))");
  }

  bool read_truth() {
    skip_space();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    fail("fortran_order is neither True nor False");
  }

  Shape read_shape() {
    expect('(');
    std::vector<int64_t> dims;
    while (!accept(')')) {
      if (dims.size() == Shape::max_rank) {
        fail(fmt::format("the shape has more than {} dimensions", Shape::max_rank));
      }
      dims.push_back(number());
      if (!accept(',')) {
        // (3) is a number in Python, not a shape.
        if (dims.size() == 1) fail("a shape of one dimension needs a comma");
        expect(')');
        break;
      }
    }
    return Shape(dims);
  }

  int64_t number() {
    skip_space();
    int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, code] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (code != std::errc() || value < 0) fail("the shape contains an invalid size");
    at_ += static_cast<size_t>(end - begin);
    return value;
  }

  std::string_view quoted() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    const size_t end = text_.find(quote, at_ + 1);
    if ((quote != '\'' && quote != '"') || end == std::string_view::npos) {
      fail("a quoted string is missing");
    }
    const std::string_view inner = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inner;
  }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char wanted) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("\"{}\" is missing", wanted));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::data, fmt::format("{}: its .npy header is malformed: {}", file_, what))
        .with("offset", std::to_string(offset_ + at_));
  }

  std::string_view text_;
  size_t offset_;
  const std::string& file_;
  size_t at_ = 0;
};

struct Prefix {
  size_t header_begin, header_length;
};

Prefix read_prefix(std::string_view text, const std::string& file) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::data, fmt::format("{}: {}", file, what))
        .with("file", fmt::format("{} bytes", text.size()));
  };
  if (!text.starts_with(magic)) fail("not a .npy file");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(text[i])); };
  if (text.size() < 12) fail("its .npy header is cut off");
  const size_t version = byte(6);
  if (version < 1 || version > 3 || byte(7) != 0) {
    fail(fmt::format("its .npy version is {}.{}; 1.0 to 3.0 can be read", version, byte(7)));
  }
  size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  const size_t begin = version == 1 ? 10 : 12;
  if (length > largest_header || length > text.size() - begin) {
    fail(fmt::format("its .npy header would have {} bytes", length));
  }
  return {begin, length};
}

int64_t bytes_of(const HeaderReader& header, const std::string& file) {
  try {
    return checked_product(header.shape->numel(), static_cast<int64_t>(size_of(*header.dtype)));
  } catch (const Error&) {
    throw Error(ErrorKind::data, fmt::format("{}: its shape is too large for any file", file))
        .with("shape", to_string(*header.shape));
  }
}

/// The array in `bytes`, an entire .npy file; `file` stands for it in messages.
Array parse(std::span<const std::byte> bytes, const std::string& file) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Prefix prefix = read_prefix(text, file);
  HeaderReader header(text.substr(prefix.header_begin, prefix.header_length), prefix.header_begin,
                      file);
  header.read();
  if (*header.fortran) {
    throw Error(ErrorKind::data, fmt::format("{}: the array is in Fortran order", file))
        .with("try", "save it with numpy.save(path, numpy.ascontiguousarray(array))");
  }
  const std::string_view data = text.substr(prefix.header_begin + prefix.header_length);
  const int64_t wanted = bytes_of(header, file);
  if (static_cast<uint64_t>(wanted) != data.size()) {
    throw Error(ErrorKind::data, fmt::format("{}: {} bytes of data, but its shape takes {}", file,
                                             data.size(), wanted))
        .with("array", std::string(name(*header.dtype)) + to_string(*header.shape))
        .with("offset", std::to_string(prefix.header_begin + prefix.header_length));
  }
  Array array(*header.dtype, *header.shape);
  if (!data.empty()) std::memcpy(array.raw(), data.data(), data.size());
  return array;
}

}  // namespace

Array read_npy(const std::filesystem::path& path) {
  return parse(read_file(path, ErrorKind::data).bytes, path.string());
}

std::vector<std::pair<std::string, Array>> read_npz(const std::filesystem::path& path) {
  constexpr std::string_view suffix = ".npy";
  const FileBytes file = read_file(path, ErrorKind::data);
  std::vector<std::pair<std::string, Array>> arrays;
  for (const ZipEntry& entry : read_zip(file.bytes, path.string(), ErrorKind::data)) {
    const std::span<const std::byte> data = stored_data(entry, path.string(), ErrorKind::data);
    Array array = parse(data, fmt::format("{}: {}", path.string(), printable(entry.name)));
    const size_t tail = entry.name.ends_with(suffix) ? suffix.size() : 0;
    arrays.emplace_back(entry.name.substr(0, entry.name.size() - tail), std::move(array));
  }
  return arrays;
}

void write_npy(const std::filesystem::path& path, const Array& array, Flush flush) {
  std::string_view dtype;
  for (const auto& [known, value] : dtype_names) {
    if (value == array.dtype()) dtype = known;
  }
  if (dtype.empty()) {
    throw Error(ErrorKind::usage, fmt::format(".npy files cannot hold {}", name(array.dtype())))
        .with("try", "astype(DType::f32) first");
  }
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (", dtype);
  for (int i = 0; i < array.shape().rank(); ++i) {
    header += (i > 0 ? ", " : "") + std::to_string(array.dim(i));
  }
  header += array.shape().rank() == 1 ? ",), }" : "), }";
  const size_t begin = magic.size() + 4;
  header.append(align_up(begin + header.size() + 1) - begin - header.size() - 1, ' ');
  header += '\n';
  std::string prefix(magic);
  prefix +=
      {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  prefix += header;
  const auto write = [&](const Sink& sink) {
    sink(std::as_bytes(std::span(prefix)));
    sink({array.raw(), array.bytes()});
  };
  replace_file(path, write, flush);
}

}  // namespace fovea
