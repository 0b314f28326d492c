#include "fovea/formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/formats/bytes.h"
#include "fovea/formats/content.h"
#include "fovea/formats/safetensors_header.h"

namespace fovea {
namespace {

constexpr size_t length_bytes = 8;

/// The length of the header, checked against that of the file.
uint64_t header_length(std::span<const std::byte> bytes, const std::string& file) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::model, fmt::format("{}: {}", file, what))
        .with("file", fmt::format("{} bytes", bytes.size()))
        .with("try", "check that this is a complete .safetensors file");
  };
  if (bytes.size() < length_bytes) fail("too short for a .safetensors file");
  const auto length = little_endian<uint64_t>(bytes);
  if (length > largest_safetensors_header) {
    fail(fmt::format("the header would have {} bytes, at most {} are read", length,
                     largest_safetensors_header));
  }
  if (length > bytes.size() - length_bytes) {
    fail(fmt::format("the header has {} bytes, but the file ends earlier", length));
  }
  if (length == 0 || bytes[length_bytes] != std::byte{'{'}) {
    fail("the header at offset 8 does not begin with \"{\"");
  }
  return length;
}

/// Throws unless the tensor's range in the data is as large as its dtype and shape imply, and
/// begins where the previous one ended.
void check_place(const TensorEntry& tensor, uint64_t expected, uint64_t data_offset,
                 uint64_t data_size, const std::string& file) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::model, fmt::format("{}: tensor \"{}\" {}", file, tensor.name, what))
        .with("tensor", std::string(name(tensor.dtype)) + to_string(tensor.shape))
        .with("data_offsets", fmt::format("[{}, {}]", tensor.begin, tensor.end))
        .with("at", fmt::format("byte {} of the file", data_offset + tensor.begin));
  };
  if (tensor.end < tensor.begin) fail("ends before it begins");
  if (tensor.end > data_size) {
    fail(fmt::format("ends at {}, the data has {} bytes", tensor.end, data_size));
  }
  if (tensor.begin != expected) {
    fail(fmt::format("{}: it begins at {}, the previous one ended at {}",
                     tensor.begin < expected ? "overlaps the previous one" : "leaves a gap",
                     tensor.begin, expected));
  }
  int64_t size = 0;
  try {
    size = checked_product(tensor.shape.numel(), static_cast<int64_t>(size_of(tensor.dtype)));
  } catch (const Error&) {
    fail("has a shape too large for any file");
  }
  if (static_cast<uint64_t>(size) != tensor.end - tensor.begin) {
    fail(fmt::format("has {} bytes of data, but its shape takes {}", tensor.end - tensor.begin,
                     size));
  }
}

/// A view of the bytes, or a copy where they are not aligned to the element.
Array array_of(const TensorEntry& tensor, const FileBytes& file, uint64_t data_offset) {
  const std::byte* data = file.bytes.data() + data_offset + tensor.begin;
  if (reinterpret_cast<uintptr_t>(data) % size_of(tensor.dtype) == 0) {
    return Array(tensor.dtype, tensor.shape, const_cast<std::byte*>(data), file.owner);
  }
  Array copy(tensor.dtype, tensor.shape);
  std::memcpy(copy.raw(), data, copy.bytes());
  return copy;
}

std::string header_of(const SafeTensors& contents) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!contents.metadata.empty()) header["__metadata__"] = contents.metadata;
  std::set<std::string> names = {"__metadata__"};
  uint64_t offset = 0;
  for (const auto& [name, array] : contents.tensors) {
    if (!names.insert(name).second) {
      throw Error(ErrorKind::usage,
                  fmt::format("safetensors: two tensors cannot be called \"{}\"", name));
    }
    const uint64_t end = offset + array.bytes();
    // Built as a list of fields, not by header[name]: that searches all the names before it.
    nlohmann::ordered_json entry = {{"dtype", safetensors_name(array.dtype())},
                                    {"shape", array.shape().dims()},
                                    {"data_offsets", {offset, end}}};
    header.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(name, std::move(entry));
    offset = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::usage, "safetensors: a name or a metadata string is not UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > largest_safetensors_header) {
    throw Error(ErrorKind::usage,
                fmt::format("safetensors: the header would have {} bytes, at most {} can be read",
                            text.size(), largest_safetensors_header));
  }
  return text;
}

}  // namespace

SafeTensors read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path, ErrorKind::model), path.string());
}

SafeTensors parse_safetensors(const FileBytes& file, const std::string& name) {
  require_format(WeightFormat::safetensors, file.bytes, name);
  const uint64_t length = header_length(file.bytes, name);
  const std::string_view json(reinterpret_cast<const char*>(file.bytes.data()) + length_bytes,
                              length);
  SafeTensorsHeader header = parse_safetensors_header(json, name);
  std::stable_sort(header.tensors.begin(), header.tensors.end(),
                   [](const TensorEntry& a, const TensorEntry& b) {
                     return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
                   });
  const uint64_t data_offset = length_bytes + length;
  const uint64_t data_size = file.bytes.size() - data_offset;
  SafeTensors contents;
  contents.metadata = std::move(header.metadata);
  uint64_t expected = 0;
  for (const TensorEntry& tensor : header.tensors) {
    check_place(tensor, expected, data_offset, data_size, name);
    contents.tensors.emplace_back(tensor.name, array_of(tensor, file, data_offset));
    expected = tensor.end;
  }
  if (expected != data_size) {
    throw Error(ErrorKind::model,
                fmt::format("{}: {} bytes follow the last tensor", name, data_size - expected))
        .with("offset", std::to_string(data_offset + expected))
        .with("file", fmt::format("{} bytes", file.bytes.size()));
  }
  return contents;
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& contents) {
  const std::string header = header_of(contents);
  std::string length;
  append_little_endian(length, uint64_t{header.size()});
  replace_file(path, [&](const Sink& sink) {
    sink(std::as_bytes(std::span(length)));
    sink(std::as_bytes(std::span(header)));
    for (const auto& [name, array] : contents.tensors) sink({array.raw(), array.bytes()});
  });
}

}  // namespace fovea
