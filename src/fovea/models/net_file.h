#pragma once

#include <filesystem>
#include <string_view>

#include "fovea/models/registry.h"

namespace fovea::models {

/// Whether the argument of --model is a net file: it ends in ".toml".
bool is_net_file(std::string_view model);

/// Reads the text of a net, at most 1 MiB. `file` is the path as it was given, "net.toml" for a
/// stream. Errors: model when it is missing, unreadable or longer.
NetText read_net(const std::filesystem::path& path);

/// A model written in TOML instead of C++, as docs/nets.md describes:
///
///     input = [1, 28, 28]
///     layers = [
///       { name = "conv1", type = "Conv2d", out_channels = 32, kernel_size = 3, padding = 1 },
///       "ReLU",
///       { type = "MaxPool2d", kernel_size = 2 },
///       "Flatten",
///       { name = "fc", type = "Linear", out_features = "classes" },
///     ]
///
/// The text as an entry like those of the registry: its name (from the text, or the file's name
/// without ".toml"), defaults and how it is built. Layers are parsed when it is built. Errors, here
/// or when it is built: model when the text is not valid TOML, has an unknown key, type or argument
/// (with the nearest names), an invalid value, a reference to a layer that is not above it, a
/// duplicate name, or more than 5,000 layers, 10,000 operations or 16 levels of nested lists, each
/// with file and line; usage when shapes do not fit, as for any model, with the line.
Entry net_entry(const NetText& net);

}  // namespace fovea::models
