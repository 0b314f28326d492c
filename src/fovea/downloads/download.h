#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

namespace fovea {

/// A published file.
struct RemoteFile {
  std::string url;                    ///< http or https
  std::string name;                   ///< of the file that it becomes
  std::string sha256;                 ///< its first hex digits, at least 8
  std::optional<int64_t> bytes = {};  ///< its size, if known
};

struct DownloadOptions {
  /// Called now and then with the bytes so far and in all, if known.
  std::function<void(int64_t done, std::optional<int64_t> all)> progress = {};
  std::stop_token stop = {};
};

/// Whether libcurl is there: its headers when this was built, and the library now.
bool can_download();

/// Where `url` is fetched from: itself or, with $FOVEA_MIRROR, MIRROR/HOST/PATH.
std::string download_address(const std::string& url);

/// The cache folders: $FOVEA_DATA, by default cache_folder()/data, and $FOVEA_WEIGHTS, by default
/// cache_folder()/weights.
std::filesystem::path data_cache();
std::filesystem::path weights_cache();

/// Downloads `file` into `folder`, which is made if needed, unless it is there already, and returns
/// its path. It is written as NAME.part and renamed once complete and its checksum is right; a
/// partial file, of a run that was stopped or failed, is continued. One process at a time downloads
/// a file; others wait.
///
/// Errors: data when it cannot be had (with the URL, the reason and where to put the file by hand)
/// or its checksum differs (the partial file is removed), also on a stop request; io when it cannot
/// be written.
std::filesystem::path download(const RemoteFile& file, const std::filesystem::path& folder,
                               const DownloadOptions& options = {});

/// The same for several files, one after another. An error names every file that is not there yet.
void download(std::span<const RemoteFile> files, const std::filesystem::path& folder,
              const DownloadOptions& options = {});

}  // namespace fovea
