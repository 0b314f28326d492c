#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/files.h"
#include "fovea/formats/pickle.h"

namespace fovea {

/// The globals in pickles of weights: those that build tensors, dtypes, storages, and what
/// checkpoints keep beside tensors.
std::span<const std::string_view> pytorch_globals();

/// What a pickle says about a storage outside of it.
struct StorageClaim {
  std::string_view key;
  std::string_view type;  ///< a global
  uint64_t elements, bytes;
};

/// Parses a reference of the pickle: ("storage", torch.FloatStorage, key, device, elements). `file`
/// stands for the file in messages. Errors: model.
StorageClaim storage_claim(const pickle::Document& pickle, const pickle::Value& reference,
                           const std::string& file);

/// Whether a value is a tensor of any kind.
bool is_tensor(const pickle::Document& pickle, const pickle::Value& value);

/// Builds arrays from the tensors that a pickle describes.
class TensorReader {
 public:
  /// By the keys of the claims; views of the file.
  using Storages = std::map<std::string_view, std::span<const std::byte>>;

  /// All three must outlive it. `name` stands for the file in messages.
  TensorReader(const pickle::Document& pickle, const Storages& storages, const FileBytes& file,
               const std::string& name);

  /// The array of a tensor of the pickle, called `name` in messages: a view of the file if it is
  /// aligned and row-major there, else a copy. Errors: model for anything but a dense tensor of a
  /// DType, storages whose size differs from the claim, elements beyond the storage, and more
  /// memory in total than a file may take (see pytorch.h).
  Array read(std::string_view tensor, const pickle::Value& value);

 private:
  struct View;
  Array read(std::string_view maker, std::span<const pickle::Value> arguments);
  std::vector<int64_t> sizes(const pickle::Value& tuple) const;
  std::span<const std::byte> storage(const StorageClaim& claim) const;
  void check_place(const View& view);
  Array array(const View& view) const;
  Error error(const std::string& what) const;
  [[noreturn]] void fail(const std::string& what) const { throw error(what); }

  const pickle::Document& pickle_;
  const Storages& storages_;
  std::shared_ptr<void> owner_;
  const std::string& file_;
  int64_t budget_;  ///< bytes that further tensors may take
  std::string tensor_;
};

}  // namespace fovea
