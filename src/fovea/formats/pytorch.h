#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/core/files.h"

namespace fovea {

// A small file can describe large tensors (a stride of 0 repeats one element, storages are shared):
// all of them together may take this factor times the bytes of the file, plus this much.
constexpr int64_t largest_pytorch_growth = 8;
constexpr int64_t largest_pytorch_surplus = int64_t{16} << 20;

/// Named tensors from a file that torch.save wrote.
struct PytorchFile {
  std::vector<std::pair<std::string, Array>> tensors;  ///< in the order of their dict
  std::string within;  ///< the key of the nested dict that held them, "model_state_dict"; or ""
};

/// Reads the tensors of a .pth or .pt file: a zip archive (PyTorch 1.6 and later) or the older
/// format. Data only: no code in the file is run, and anything other than tensors, dicts and plain
/// data is refused by name (see pickle.h).
///
/// Every dtype of DType, rank at most 8; strided and shared storages become separate row-major
/// tensors. The entire file is read: arrays that are aligned and contiguous in it are read-only
/// views (`clone` before writing); others are copied.
///
/// The tensors are those of the saved dict or, if its values include dicts, of the first of
/// "model_state_dict", "state_dict", "model", ..., "ema" (pytorch.cpp has the list) that holds
/// tensors, else of the only one that does. Other values are ignored. Errors: model, naming the
/// file, the tensor and what to try.
PytorchFile read_pytorch(const std::filesystem::path& path);
/// The same for a file that was read; `name` stands for it in messages.
PytorchFile parse_pytorch(const FileBytes& file, const std::string& name);

/// Writes the tensors as torch.save writes a state_dict: torch.load(weights_only=True) gives an
/// OrderedDict of them, in this order, PyTorch 1.6 and later. Equal tensors give equal files. A
/// crash leaves the old file or the new one. Errors: usage when a name is duplicated or not UTF-8;
/// io when the file cannot be written.
void write_pytorch(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, Array>>& tensors);

}  // namespace fovea
