#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/downloads/download.h"

namespace fovea::data {

/// Where a data set is published.
struct Source {
  std::string name;  ///< in the registry: "cifar10"
  std::vector<RemoteFile> files;
  /// If its only file is a tar file, the folder in it that contains the data.
  std::string unpacked = {};
};

/// cifar10, cifar100, mnist, fashion-mnist and kmnist.
const std::vector<Source>& sources();

/// Downloads a data set into `folder` ("": where open() looks for it) unless it is there already,
/// unpacks it, and returns the folder of its files. Errors: usage for a data set without a source,
/// listing those that have one; data for an archive without the expected files; as download.
std::filesystem::path get(std::string_view name, std::filesystem::path folder = {},
                          const DownloadOptions& options = {});

}  // namespace fovea::data
