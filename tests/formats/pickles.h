#pragma once

#include <bit>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fovea/formats/bytes.h"
#include "fovea/formats/zip.h"

// Pickles and archives written by hand, so that tests can write those that PyTorch would not.
namespace fovea::pickles {

using Parts = std::vector<std::string>;

inline std::string little(uint64_t value, size_t size) {
  std::string bytes;
  append_little_endian(bytes, value);
  return bytes.substr(0, size);
}

inline std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }
inline std::string integer(int64_t value) {
  return "\x8a\x08" + little(static_cast<uint64_t>(value), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string joined(const Parts& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}
inline std::string tuple(const Parts& parts) { return "(" + joined(parts) + "t"; }
inline std::string list(const Parts& parts) { return "](" + joined(parts) + "e"; }
inline std::string integers(const std::vector<int64_t>& values) {
  Parts parts;
  for (const int64_t value : values) parts.push_back(integer(value));
  return tuple(parts);
}
/// Alternating keys and values.
inline std::string dict(const Parts& items) { return "}(" + joined(items) + "u"; }
inline std::string call(const std::string& function, const Parts& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string ordered_dict(const Parts& items) {
  return global("collections", "OrderedDict") + ")R(" + joined(items) + "u";
}
inline std::string pickled(const std::string& body, char protocol = 2) {
  return std::string("\x80") + protocol + body + ".";
}

/// A reference to a storage; `more` follows the number of elements.
inline std::string storage(const std::string& key, int64_t elements,
                           const std::string& type = "FloatStorage", const std::string& more = "") {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements),
                more}) +
         "Q";
}

struct Tensor {
  int64_t elements = 6, offset = 0;  ///< of its storage
  std::vector<int64_t> sizes = {2, 3}, strides = {3, 1};
  std::string type = "FloatStorage", key = "0";
};

inline std::string tensor(const Tensor& t, const std::string& more_of_storage = "") {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(t.key, t.elements, t.type, more_of_storage), integer(t.offset),
               integers(t.sizes), integers(t.strides), "\x89", ordered_dict({})});
}

/// 24 bytes: as many as `Tensor` has by default.
inline const std::string six_floats = [] {
  std::string bytes;
  for (const float value : {1.f, 2.f, 3.f, 4.f, 5.f, 6.f}) {
    append_little_endian(bytes, std::bit_cast<uint32_t>(value));
  }
  return bytes;
}();

using Entries = std::vector<std::pair<std::string, std::string>>;

inline std::string zip(const Entries& entries) {
  std::vector<ZipEntry> views;
  for (const auto& [name, data] : entries) views.push_back({name, std::as_bytes(std::span(data))});
  std::string bytes;
  write_zip(
      [&](std::span<const std::byte> part) {
        bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
      },
      views);
  return bytes;
}

/// What torch.save writes: `body` is what was saved.
inline std::string archive(const std::string& body,
                           const std::map<std::string, std::string>& storages = {
                               {"0", six_floats}}) {
  Entries entries = {{"a/data.pkl", pickled(body)}, {"a/byteorder", "little"}};
  for (const auto& [key, data] : storages) entries.emplace_back("a/data/" + key, data);
  entries.emplace_back("a/version", "3\n");
  return zip(entries);
}

/// The format before PyTorch 1.6; storages are of floats.
inline std::string legacy(const std::string& body,
                          const std::map<std::string, std::string>& storages = {
                              {"0", six_floats}}) {
  Parts keys;
  std::string data;
  for (const auto& [key, bytes] : storages) {
    keys.push_back(text(key));
    data += little(bytes.size() / sizeof(float), 8) + bytes;
  }
  return pickled("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickled("M\xe9\x03") +
         pickled(dict({text("protocol_version"), "M\xe9\x03", text("little_endian"), "\x88"})) +
         pickled(body) + pickled(list(keys)) + data;
}

}  // namespace fovea::pickles
