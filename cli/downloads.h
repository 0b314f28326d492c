#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "console.h"
#include "fovea/downloads/download.h"

namespace fovea::cli {

/// Options of a download that shows its progress; `what` is its name.
DownloadOptions with_progress(const std::string& what, Console& console);

/// The file with the published weights of `model`, downloaded unless they are in the cache; of
/// several the newest. Errors: usage when none are published; as download.
std::filesystem::path pretrained_file(std::string_view model, Console& console,
                                      std::filesystem::path folder = {});

/// The same for --pretrained. Errors: usage when --weights was given, too.
std::string pretrained_weights(const std::string& model, const std::string& weights,
                               Console& console);

}  // namespace fovea::cli
