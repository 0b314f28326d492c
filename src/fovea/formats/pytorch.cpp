#include "fovea/formats/pytorch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/bytes.h"
#include "fovea/formats/content.h"
#include "fovea/formats/pickle.h"
#include "fovea/formats/pytorch_tensors.h"
#include "fovea/formats/zip.h"

namespace fovea {
namespace {

using pickle::Document;
using pickle::Kind;
using pickle::Value;
using Bytes = std::span<const std::byte>;
using Storages = TensorReader::Storages;

/// Where checkpoints keep the weights, the likeliest first.
constexpr std::string_view known_keys[] = {
    "model_state_dict", "state_dict",     "model",   "module",     "net",
    "network",          "net_state_dict", "weights", "params",     "model_ema",
    "state_dict_ema",   "ema_state_dict", "ema",     "params_ema",
};

/// The parts of a file that torch.save wrote.
struct Saved {
  Document pickle;
  Storages storages;
};

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The zip archive: NAME/data.pkl, NAME/data/KEY, ..., where NAME is the archive's own.
class ArchiveReader {
 public:
  ArchiveReader(Bytes bytes, const std::string& file)
      : file_(file), entries_(read_zip(bytes, file, ErrorKind::model)) {
    if (!entries_.empty()) folder_ = entries_[0].name.substr(0, entries_[0].name.find('/') + 1);
  }

  Saved read() const {
    if (find("constants.pkl")) {
      throw error("it is a TorchScript archive, a program")
          .with("try", "torch.save(torch.jit.load(FILE).state_dict(), OTHER)");
    }
    const std::optional<Bytes> pickle = find("data.pkl");
    if (!pickle) {
      throw error("it is " + other_archive())
          .with("try", "weights that PyTorch saved: torch.save(model.state_dict(), FILE)");
    }
    const std::optional<Bytes> order = find("byteorder");
    if (order && as_text(*order) != "little") {
      throw error(fmt::format("its numbers are in the byte order \"{}\"; \"little\" is read",
                              printable(as_text(*order))));
    }
    Saved saved{pickle::read(*pickle, pytorch_globals(), file_), {}};
    if (saved.pickle.size != pickle->size()) throw error("bytes follow the pickle in data.pkl");
    const std::string data = std::string(folder_) + "data/";
    for (const ZipEntry& entry : entries_) {
      if (!entry.name.starts_with(data)) continue;
      saved.storages[entry.name.substr(data.size())] = stored_data(entry, file_, ErrorKind::model);
    }
    return saved;
  }

 private:
  std::optional<Bytes> find(std::string_view name) const {
    const std::string path = std::string(folder_) + std::string(name);
    for (const ZipEntry& entry : entries_) {
      if (entry.name == path) return stored_data(entry, file_, ErrorKind::model);
    }
    return std::nullopt;
  }

  /// What an archive without a data.pkl is.
  std::string other_archive() const {
    const auto any = [&](const auto& fits) {
      return std::any_of(entries_.begin(), entries_.end(),
                         [&](const ZipEntry& entry) { return fits(entry.name); });
    };
    if (any([](std::string_view name) { return name.ends_with(".weights.h5"); })) {
      return "a Keras model (.keras)";
    }
    if (any([](std::string_view name) { return name.ends_with(".npy"); })) {
      return "an archive of NumPy arrays (.npz)";
    }
    return "a zip archive, but not one that torch.save wrote";
  }

  Error error(const std::string& what) const {
    return {ErrorKind::model, fmt::format("{}: {}", file_, what)};
  }

  const std::string& file_;
  std::vector<ZipEntry> entries_;
  std::string_view folder_;
};

/// The format before PyTorch 1.6: pickles of a magic number, a version, facts about the system,
/// what was saved, and the keys of its storages; then the storages, each an element count and its
/// bytes.
class LegacyReader {
 public:
  LegacyReader(Bytes bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  Saved read() {
    next();
    check_version(next());
    check_system(next());
    Saved saved{next(), {}};
    const Document keys = next();
    if (keys.root.kind != Kind::list) throw error("its storage keys are not a list");
    const std::map<std::string_view, StorageClaim> claims = storage_claims(saved.pickle);
    for (const Value& key : keys.items(keys.root)) {
      const auto claimed = claims.find(key.text);
      if (key.kind != Kind::text || claimed == claims.end()) {
        throw error(
            fmt::format("it has a storage \"{}\" that no tensor uses", printable(key.text)));
      }
      const bool first = saved.storages.emplace(key.text, storage(claimed->second)).second;
      if (!first) throw error(fmt::format("the storage \"{}\" occurs twice", printable(key.text)));
    }
    if (at_ != bytes_.size()) throw error("bytes follow the last storage");
    return saved;
  }

 private:
  /// The next pickle.
  Document next() {
    Document document = pickle::read(bytes_.subspan(at_), pytorch_globals(), file_);
    at_ += document.size;
    return document;
  }

  void check_version(const Document& version) const {
    constexpr int64_t only = 1001;
    if (version.root.kind != Kind::integer || version.root.integer != only) {
      throw error("it is of an unsupported version of PyTorch's older format");
    }
  }

  void check_system(const Document& facts) const {
    const std::span<const Value> items = facts.items(facts.root);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i].text == "little_endian" && items[i + 1].integer == 0) {
        throw error("its numbers are in the byte order \"big\"; \"little\" is read");
      }
    }
  }

  std::map<std::string_view, StorageClaim> storage_claims(const Document& pickle) const {
    std::map<std::string_view, StorageClaim> claims;
    for (uint32_t i = 0; i < pickle.compounds.size(); ++i) {
      if (pickle.compounds[i].kind != Kind::reference) continue;
      const StorageClaim claim =
          storage_claim(pickle, {.kind = Kind::reference, .compound = i}, file_);
      const StorageClaim& known = claims.emplace(claim.key, claim).first->second;
      if (known.elements != claim.elements || known.bytes != claim.bytes) {
        throw error(
            fmt::format("the storage \"{}\" has contradictory sizes", printable(claim.key)));
      }
    }
    return claims;
  }

  /// The bytes of the next storage, after the number of its elements.
  Bytes storage(const StorageClaim& claim) {
    const Bytes rest = bytes_.subspan(at_);
    constexpr size_t head = sizeof(uint64_t);
    if (rest.size() < head || rest.size() - head < claim.bytes) {
      throw error(fmt::format("it ends in the middle of a storage of {} bytes", claim.bytes));
    }
    const auto elements = little_endian<uint64_t>(rest);
    if (elements != claim.elements) {
      throw error(fmt::format("the storage \"{}\" has {} elements instead of {}",
                              printable(claim.key), elements, claim.elements));
    }
    at_ += head + claim.bytes;
    return rest.subspan(head, claim.bytes);
  }

  Error error(const std::string& what) const {
    return Error(ErrorKind::model, fmt::format("{}: {}", file_, what))
        .with("at", fmt::format("byte {} of the file", at_));
  }

  Bytes bytes_;
  const std::string& file_;
  size_t at_ = 0;
};

Saved read_saved(Bytes bytes, const std::string& file) {
  require_format(WeightFormat::pytorch, bytes, file);
  if (as_text(bytes).starts_with("PK\x03\x04")) return ArchiveReader(bytes, file).read();
  return LegacyReader(bytes, file).read();
}

/// Finds the named tensors in what was saved.
class Finder {
 public:
  using Items = std::vector<std::pair<std::string_view, Value>>;

  Finder(const Document& pickle, const std::string& file) : pickle_(pickle), file_(file) {}

  /// The tensors of `dict`, or of a dict in it; `within` receives the keys that lead there.
  Items find(const Value& dict, std::string& within, size_t level = 0) const {
    constexpr size_t max_depth = 4;
    if (level == max_depth) throw error("its tensors are nested too deep");
    const Items items = named(dict);
    const auto descend = [&](const auto& item) {
      within += (within.empty() ? "" : ".") + printable(item.first);
      return find(item.second, within, level + 1);
    };
    for (const std::string_view key : known_keys) {
      for (const auto& item : items) {
        if (item.first == key && holds_tensors(item.second, 2)) return descend(item);
      }
    }
    Items tensors, dicts;
    for (const auto& item : items) {
      if (is_tensor(pickle_, item.second)) tensors.push_back(item);
      if (holds_tensors(item.second, 1)) dicts.push_back(item);
    }
    if (!tensors.empty()) return tensors;
    if (dicts.size() == 1) return descend(dicts[0]);
    if (dicts.empty()) throw error("it holds no named tensors");
    std::vector<std::string> keys;
    for (const auto& [key, value] : dicts) keys.push_back(printable(key));
    throw error("several of its dicts hold tensors").with("dicts", join(keys));
  }

 private:
  /// The values of a dict whose keys are text.
  Items named(const Value& dict) const {
    if (dict.kind != Kind::dict) throw error("what was saved is not a dict of named tensors");
    const std::span<const Value> items = pickle_.items(dict);
    Items named;
    std::set<std::string_view> names;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i].kind != Kind::text) continue;
      const std::string_view name = items[i].text;
      if (!names.insert(name).second)
        throw error(fmt::format("\"{}\" occurs twice", printable(name)));
      if (!is_utf8(name)) throw error(fmt::format("the name \"{}\" is not UTF-8", printable(name)));
      named.emplace_back(name, items[i + 1]);
    }
    return named;
  }

  /// Whether a value is a dict that contains a tensor, in nested dicts up to `levels` deep.
  bool holds_tensors(const Value& value, int levels) const {
    if (value.kind != Kind::dict || levels == 0) return false;
    const std::span<const Value> items = pickle_.items(value);
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i].kind != Kind::text) continue;
      if (is_tensor(pickle_, items[i + 1]) || holds_tensors(items[i + 1], levels - 1)) return true;
    }
    return false;
  }

  Error error(const std::string& what) const {
    return Error(ErrorKind::model, fmt::format("{}: {}", file_, what))
        .with("try", "save the weights alone: torch.save(model.state_dict(), FILE)");
  }

  const Document& pickle_;
  const std::string& file_;
};

}  // namespace

PytorchFile read_pytorch(const std::filesystem::path& path) {
  return parse_pytorch(read_file(path, ErrorKind::model), path.string());
}

PytorchFile parse_pytorch(const FileBytes& file, const std::string& name) {
  const Saved saved = read_saved(file.bytes, name);
  PytorchFile result;
  TensorReader reader(saved.pickle, saved.storages, file, name);
  for (const auto& [tensor, value] :
       Finder(saved.pickle, name).find(saved.pickle.root, result.within)) {
    result.tensors.emplace_back(tensor, reader.read(tensor, value));
  }
  return result;
}

}  // namespace fovea
