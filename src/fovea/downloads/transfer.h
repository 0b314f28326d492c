#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "fovea/downloads/download.h"

namespace fovea {

/// One HTTP transfer, whose bytes go to a file.
struct Transfer {
  std::string url;
  int64_t begin = 0;                  ///< bytes that are there already
  std::optional<int64_t> bytes = {};  ///< in all, if known: a server that sends more is refused
  std::function<void()> restart;      ///< forgets what is there: the server sends everything
  std::function<void(std::span<const std::byte>)> append;
};

/// Errors: data for everything that goes wrong on the way, or on a stop request; what `append`
/// throws.
void transfer(const Transfer& transfer, const DownloadOptions& options);

}  // namespace fovea
